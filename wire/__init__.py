"""Formats shared by the leader, agent, command line and lab: messages, labels, keys and user data.

The formats must stay compatible across versions, because an agent in an old image talks to a new
leader. Rule: do no I/O here, read no clock, and import nothing from `leader`, `agent`, `cli` or
`runtime`. If a file in `wire/examples/` no longer parses, running instances can no longer join.
"""
