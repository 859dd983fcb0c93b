"""Enforces the rules for fetching: public addresses, robots.txt, and pauses between requests."""
