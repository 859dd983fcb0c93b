"""What the agent touches: the metadata service, the broker, the engine, its own files."""
