"""What leader, agent and operator say to each other: messages, sealing, keys, user data.

Here belong the shapes and constants both sides must agree on, also across versions: an
agent in an old AMI talks to a new leader. Nothing here does I/O, reads a clock or imports
`leader`, `agent`, `cli` or `runtime`. A change that stops a file in `wire/examples/` from
parsing is a change that strands running instances.
"""
