"""Subcommands that send requests to the active leader.

Each subcommand has its own module, which sends a request to the leader's admin socket and displays
the response. Code that several subcommands share is in `cli.terminal`. Nothing here makes decisions
about the swarm.
"""
