"""Values as pages show them: wording, charts, tables. Pure."""
