"""`python -m bench.leave`: what users notice when a worker leaves, by three methods."""
