"""The `python -m lab` commands, and the code that displays their output.

Rule: everything that the commands do must also be possible through `lab.client`.
"""
