"""Parses feeds, pages, texts and URLs, and fingerprints texts. No I/O; runs in threads."""
