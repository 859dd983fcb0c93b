"""The agent daemon: makes its instance join the swarm and stay in it.

The agent proves the instance's identity, requests a token, joins the swarm, and leaves the swarm
when AWS reclaims the instance. The leader, not the agent, decides who may join. `decide`, `model`,
`events`, `actions`, `notices` and `signing` are pure; `edges/` talks to the metadata service, the
broker and the engine. The agent starts before the engine on every boot, so it imports no AWS SDK
and no web server, and imports other heavy modules only when they are needed.
"""
