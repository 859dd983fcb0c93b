"""Parses feeds, pages, texts and URLs, and fingerprints texts. No I/O; called in threads."""
