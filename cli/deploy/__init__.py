"""`spotswarm deploy`: check a stack, deploy it with Docker, and roll it back if it fails.

`deploy.py` contains the subcommand and runs the steps in order. A stack is a file in the stack
directory; `stackfile/` converts it into the document that Docker deploys, and does no I/O.
`recovery/` keeps the record of what the services were, and restores it.
"""
