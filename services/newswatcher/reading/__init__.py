"""Parses feeds, pages and URLs, and fingerprints texts.

These modules do no I/O. Other modules run them in threads.
"""
