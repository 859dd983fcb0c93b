"""Convert a stack file and its variables into the document that Docker deploys.

Its functions take text and values, and return a `Stack` or raise an error that lists every
problem.
"""
