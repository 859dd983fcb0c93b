"""Web traffic on the lab's swarm: test services behind Traefik, a steady load, and the results."""
