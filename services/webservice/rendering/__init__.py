"""Renders values for pages as formatted text, charts and tables. This module does no I/O."""
