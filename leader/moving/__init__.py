"""Evacuation and rebalancing: moves tasks to other nodes without stopping the tasks first.

This package does no I/O. All changes to a service's spec, and the code that undoes these changes,
belong here. `leader.leaving` decides which nodes leave.
"""
