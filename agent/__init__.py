"""The agent daemon, which joins its instance to the swarm and keeps it there.

The agent proves the instance's identity, requests a join token, joins the swarm, and leaves the
swarm when AWS reclaims the instance. The leader, not the agent, decides which instances may join.
`decide`, `model`, `events`, `actions`, `notices` and `signing` are pure: they do no I/O. The
modules in `edges/` talk to the metadata service, the broker and the engine. The agent must start
quickly, because the engine waits for it on every boot. Therefore, the agent does not import an AWS
SDK or a web server, and it imports other heavy modules only when they are needed.
"""
