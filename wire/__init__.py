"""Formats shared by the leader, agent, command line and lab: messages, labels, keys and user data.

The formats must stay compatible across versions, because an agent in an old image may talk to a
newer leader. Rule: do no I/O here, do not read the clock, and import nothing from `leader`,
`agent`, `cli` or `runtime`. Every version must be able to parse all files in `wire/examples/`.
Otherwise, agents in old images cannot join.
"""
