"""The leader's access to the outside world: Docker, AWS, Redis and sockets.

Each module turns the exceptions of its library into those of `runtime.errors`, and returns types
that `leader.view` defines. Rule: make no decisions here; code that makes decisions belongs in a
module that does no I/O.
"""
