"""Keeps the gateway's session alive, and says when it is lost."""
