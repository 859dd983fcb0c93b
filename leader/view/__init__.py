"""The values that the leader's decisions use: the view, events, actions and ids.

These values are immutable, and this package does no I/O. Rules about a single value, such as
when a notice expires or whether a task is up, belong here. Rules that compare several values to
choose an action belong in the package that makes the decision.
"""
