"""Subcommands that ask the active leader: show the cluster, drain, return, rebalance.

A command here asks the admin API, prints a table or JSON, and follows what was started. It decides
nothing about the swarm.
"""
