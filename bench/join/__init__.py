"""`python -m bench.join`: compare the speed of three methods of joining a swarm."""
