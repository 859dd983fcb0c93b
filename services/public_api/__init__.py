"""Provides news, sentiment and quotes to programs that have an API token."""
