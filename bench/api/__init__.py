"""`python -m bench.api`: compare public_api behind Traefik with its bare handler."""
