"""Renders values for pages as formatted text, charts and tables. Pure."""
