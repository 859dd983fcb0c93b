"""What the leader knows and decides with: the view, events, actions, ids and labels.

Immutable values without I/O. A rule that reads one value (when a notice expires, whether a task is
up) belongs here. A rule that weighs several values to choose an action belongs in the package that
decides the question.
"""
