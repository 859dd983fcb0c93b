"""The agent's access to the outside world: metadata service, broker, engine and files."""
