"""The agent daemon: makes one instance a member of the swarm and keeps it one.

It proves the instance's identity, requests a token, joins, and leaves when AWS takes the
instance. It never decides who may join. `decide`, `model`, `events`, `actions`, `notices` and
`signing` are pure; `edges/` talks to the metadata service, the broker and the engine. The agent
starts before the engine on every boot, so it imports little (no AWS SDK, no web server), and
heavy modules only when it needs them.
"""
