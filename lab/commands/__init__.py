"""The `python -m lab` commands, with their output and drawings.

Rule: the commands do nothing that a test could not do through `lab.client`.
"""
