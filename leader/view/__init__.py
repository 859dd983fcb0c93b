"""The values that the leader decides with: the view, events, actions, ids, labels.

Immutable and pure. Rules that only read one value (a notice's lifetime, a task's state) belong
here; rules that weigh several to choose an action belong in the package of their question.
"""
