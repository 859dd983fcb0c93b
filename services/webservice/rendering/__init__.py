"""How pages show values: formatted text, charts and tables. Pure."""
