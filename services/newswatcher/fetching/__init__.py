"""Rules for fetching: public addresses only, robots.txt, and pauses between requests."""
