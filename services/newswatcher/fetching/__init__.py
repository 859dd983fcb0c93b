"""Checks addresses and robots.txt files, and enforces pauses between requests."""
