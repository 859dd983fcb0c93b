"""Formats shared by the leader, agent, command line and lab: messages, labels, keys and user data.

The formats must stay compatible across versions, because an agent in an old image may talk to a
newer leader. Rule: do no I/O here, do not read the clock, and import nothing from `leader`,
`agent`, `cli` or `runtime`. If a file in `wire/examples/` can no longer be parsed, agents in old
images can no longer join.
"""
