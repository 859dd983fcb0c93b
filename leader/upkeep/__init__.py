"""Routine cluster maintenance: clean-up, token rotation and heartbeat settings.

This package does no I/O. Code for orderly departures belongs in `leader.leaving`.
"""
