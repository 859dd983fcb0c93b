"""`python -m bench.api`: public_api behind Traefik next to its bare handler."""
