"""Parses feeds, pages and URLs, and computes fingerprints of texts.

These modules do no I/O. `parsing` runs the parsers of feeds, pages and robots.txt files in a
process that can be killed.
"""
