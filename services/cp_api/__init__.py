"""Quotes and history from the broker's gateway, within its pacing.

Exactly one runs: the pacing is the gateway's for all who ask, and is counted in memory. What it
keeps may be lost; it holds no session of its own.
"""
