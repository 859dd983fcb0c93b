"""The values that the leader's decisions use: the view, events, actions and ids.

These values are immutable, and this package does no I/O. Code that answers a question about
a single value, such as whether a notice has expired, belongs here. Code that chooses an action
belongs in the package that makes the decision.
"""
