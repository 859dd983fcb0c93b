"""Web traffic on the lab's swarm: test services behind Traefik, steady load, and its results."""
