"""Routine cluster maintenance: clean-up, token rotation and the heartbeat period.

This package does no I/O. Code for nodes that leave normally belongs in `leader.leaving`.
"""
