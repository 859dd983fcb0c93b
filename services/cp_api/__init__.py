"""Quotes and history from the broker's gateway, within its pacing. It holds no session of its own."""
