"""`python -m bench.leave`: compare how three ways of removing a worker affect users."""
