"""`python -m bench.join`: compare how fast a machine joins a swarm by each of three methods."""
