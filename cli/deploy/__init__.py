"""`spotswarm deploy`: read a stack file, check it, deploy it with Docker, follow it, roll it back.

`deploy.py` is the subcommand and shows the order of the steps. A stack is a file of the stack
directory; `stackfile/` turns it into the document that Docker deploys, without I/O.
"""
