"""Parses feeds, pages and URLs, and computes fingerprints of texts.

These modules do no I/O. Other modules run them in threads.
"""
