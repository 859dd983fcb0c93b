"""The `python -m lab` commands, and the code that displays their output.

Rule: the commands do nothing that a test could not do through `lab.client`.
"""
