"""Resolves host names and fetches URLs. Other modules decide which URLs to fetch and when."""
