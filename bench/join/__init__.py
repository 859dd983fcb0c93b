"""`python -m bench.join`: compare how long a booted machine takes to join, by three methods."""
