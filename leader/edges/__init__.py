"""The leader's access to the outside world: Docker, AWS, Redis and sockets.

Each module translates its library's errors into `runtime.errors` and returns values from
`leader.view`. Rule: make no decisions here; code that chooses between outcomes belongs in a pure
module.
"""
