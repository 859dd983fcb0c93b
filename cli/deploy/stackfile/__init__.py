"""Convert a stack file and its variables into the document that Docker deploys.

The functions in this package take text and values, and return a `Stack`. If there are problems, the
functions raise an error that lists all of them.
"""
