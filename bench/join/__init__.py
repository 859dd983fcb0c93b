"""`python -m bench.join`: how long a booted machine takes to join the swarm, by three methods."""
