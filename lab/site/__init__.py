"""The site on the lab's swarm: its deployment, fictional news to read, and a port for browsers."""
