"""The leader daemon, which decides which instances belong to the swarm.

`daemon` starts a `term` when this manager becomes the leader. The term turns external changes into
events, `decide` responds to events with actions, and the term carries out the actions through
`edges`. The rules for decisions are in `joining`, `leaving`, `moving` and `upkeep`. `view` defines
the values that decisions use, and `report` produces what operators read. Only `daemon`, `settings`,
`term` and `edges` do I/O. Code that runs on every instance belongs in `agent/`, and formats that
the agent and the leader share belong in `wire/`.
"""
