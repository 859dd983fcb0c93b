"""Evacuation and rebalancing: replacement tasks start on other nodes before old tasks stop.

This package does no I/O. All changes to a service's spec, and the code that undoes these changes,
belong here. `leader.leaving` decides which nodes leave.
"""
