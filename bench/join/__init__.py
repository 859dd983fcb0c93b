"""`python -m bench.join`: compare how fast a booted machine joins with each of three methods."""
