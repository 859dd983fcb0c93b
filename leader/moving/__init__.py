"""Moving tasks between nodes without stopping them first: evacuation and rebalancing.

Pure. Everything that changes a service's spec, and changes it back, belongs here. Which nodes
leave is decided in `leader.leaving`.
"""
