"""A stack file and its variables, turned into the document that Docker deploys.

Pure: text and values in, a `Stack` or a list of everything that is wrong out.
"""
