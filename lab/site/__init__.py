"""The site on the lab's swarm: its deployment, its made-up news, and its port for browsers."""
