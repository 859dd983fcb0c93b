"""Everything of the leader that touches the outside: Docker, AWS, Redis, sockets.

Each module translates vendor errors once into `runtime.errors` and returns values of
`leader.view.model`. Nothing here decides: an edge that weighs two outcomes belongs in a pure
module.
"""
