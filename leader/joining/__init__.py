"""Handles a new node, from the join request to the node's activation.

This package does no I/O. What happens to a node after its activation belongs in `leaving`, `moving`
or `upkeep`.
"""
