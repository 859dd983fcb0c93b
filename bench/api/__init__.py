"""`python -m bench.api`: compare public_api behind Traefik with a bare handler."""
