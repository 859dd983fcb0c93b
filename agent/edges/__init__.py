"""The agent's access to the metadata service, the broker, the engine and files."""
