"""Evacuation and rebalancing: replacement tasks start on other nodes before old tasks stop.

This package does no I/O. All code that changes a service's spec, or undoes such changes, belongs
here. `leader.leaving` decides which nodes leave.
"""
