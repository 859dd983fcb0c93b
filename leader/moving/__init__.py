"""Moving tasks between nodes without stopping them first: evacuation and rebalancing.

Without I/O. Everything that changes a service's spec, or undoes such a change, belongs here. Which
nodes leave is decided in `leader.leaving`.
"""
