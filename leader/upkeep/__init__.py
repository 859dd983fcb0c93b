"""Routine maintenance of the cluster: clean-up, token rotation and the heartbeat period.

This package does no I/O. Nodes that leave in the normal way belong in `leader.leaving`.
"""
