"""What may be fetched and when: public addresses, robots.txt, pauses between requests."""
