"""Routine cluster maintenance: clean-up, token rotation and the heartbeat period.

This package does no I/O. Code for orderly departures belongs in `leader.leaving`.
"""
