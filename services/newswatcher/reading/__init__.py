"""Bytes into articles: feeds, pages, text, URLs, fingerprints. No I/O; called in threads."""
