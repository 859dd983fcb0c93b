"""The site on the lab's swarm: its deployment, fictional news, and a port for browsers."""
