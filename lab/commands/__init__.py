"""The `python -m lab` commands for a person: their output and drawings.

Rule: they do nothing that a test could not do through `lab.client`.
"""
