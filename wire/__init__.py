"""What leader, agent, command line and lab must agree on: messages, labels, keys, user data.

They must agree across versions too: an agent in an old image talks to a new leader. Nothing here
does I/O, reads a clock, or imports `leader`, `agent`, `cli` or `runtime`. A change that stops a
file in `wire/examples/` from parsing strands running instances.
"""
