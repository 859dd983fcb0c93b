"""`python -m bench.storm`: a thousand instances ask for a token at once, and somebody floods us."""
