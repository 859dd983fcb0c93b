"""Everything of the leader that touches the outside: Docker, AWS, Redis, sockets.

Each module translates the errors of its library into `runtime.errors` and returns values of
`leader.view`. Nothing here decides: code that chooses between outcomes belongs in a pure module.
"""
