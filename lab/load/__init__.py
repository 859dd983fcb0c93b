"""Web traffic on the lab's swarm: a test service behind Traefik, steady load and the results."""
