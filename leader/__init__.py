"""The leader daemon, which decides which instances belong to the swarm.

When this manager becomes the leader, `daemon` starts a `term`. The term turns external changes into
events, `decide` responds to each event with actions, and the term carries out the actions through
`edges`. The rules for decisions are in `joining`, `leaving`, `moving` and `upkeep`. `view` defines
the data that decisions are based on, and `report` prepares data for operators. Only `daemon`,
`settings`, `term` and `edges` do I/O. Code that runs on every instance belongs in `agent/`. Message
formats that the agent and the leader share belong in `wire/`.
"""
