"""Read and write the YAML text of a stack file as Docker's client reads it.

Rule: a value that YAML's versions read differently stays as its text, so that Docker resolves it.
"""
