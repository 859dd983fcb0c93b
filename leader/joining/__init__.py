"""Handles a new node, from the join request to the node's activation.

This package does no I/O. Code for what happens after a node's activation belongs in `leaving`,
`moving` or `upkeep`.
"""
