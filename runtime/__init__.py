"""Code that all our processes share: life cycle, backoff, clock, errors, logs and systemd.

Rule: keep code about Docker, AWS, Redis or the swarm out of this package; it belongs in a daemon's
`edges/`. Import each module directly, so that the agent does not load a web server.
"""
