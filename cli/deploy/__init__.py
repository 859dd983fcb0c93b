"""`spotswarm deploy`: check a stack, deploy it with Docker, and roll it back if it fails.

`deploy.py` contains the subcommand and what happens before the first change; `execution.py` does
the rest. A stack is a file in the stack directory; `stackfile/` converts it into the document that
Docker deploys, and does no I/O. `reading/` reads the files, and has Docker's client read the stack.
`recovery/` keeps the record of what the services were, and restores it.
"""
