"""Subcommands that ask the active leader, one in each module, with the tables they print.

Here belongs whatever sends a request to the leader's admin socket and shows the answer. What
several subcommands share is in `cli.terminal`; nothing here decides anything about the swarm.
"""
