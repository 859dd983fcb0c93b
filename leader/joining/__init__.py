"""Handles new nodes, from the join request to the node's activation.

This package does no I/O. Code that handles nodes after their activation belongs in `leaving`,
`moving` or `upkeep`.
"""
