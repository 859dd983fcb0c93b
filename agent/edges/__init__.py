"""Everything of the agent that touches the outside: metadata service, broker, engine, files."""
