"""The `python -m lab` commands for a person: what they print and draw.

Nothing happens here that a test could not do through `lab.client`.
"""
