"""The agent daemon: makes one instance a good member of the swarm.

It proves who it is, asks for a token, joins, and stays a member; it never decides who may.
`decide`, `model`, `events`, `actions`, `signing` are pure; `edges/` touches metadata
service, broker and engine. It starts before the engine on every boot, so it imports little
(no AWS SDK, no web server) and what is heavy only when it is needed.
"""
