"""Routine maintenance of the cluster: clean-up, token rotation and the heartbeat period.

This package does no I/O. The code for nodes that leave normally belongs in `leader.leaving`.
"""
