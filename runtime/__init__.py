"""What every process of ours needs: lifecycle, backoff, clock, errors, logs, systemd.

Nothing here knows about Docker, AWS, Redis or the swarm; such code belongs in a daemon's `edges/`.
Import modules one by one, so that the agent does not load a web server.
"""
