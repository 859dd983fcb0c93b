"""`spotswarm deploy`: check a stack, deploy it with Docker, and roll it back if it fails.

`deploy.py` is the subcommand and runs the steps in order. A stack is a file in the stack
directory; `stackfile/` converts the file into the document that Docker deploys, without I/O.
"""
