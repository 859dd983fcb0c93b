"""Where auth keeps its state: Redis, and nobody else knows it."""
