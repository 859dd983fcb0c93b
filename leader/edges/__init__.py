"""The leader's access to the outside world: Docker, AWS, Redis and sockets.

Each module translates its library's exceptions into those of `runtime.errors`, and returns types
that are defined in `leader.view`. Rule: make no decisions here; decisions belong in modules that do
no I/O.
"""
