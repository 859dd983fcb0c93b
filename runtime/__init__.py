"""How any of our processes lives: lifecycle, backoff, clock, errors, logs, health, systemd.

Nothing here knows Docker, AWS, Redis or the swarm; what does belongs in a daemon's
`edges/`. Modules are imported one by one, so that the agent loads no web server.
"""
