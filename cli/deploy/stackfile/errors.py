"""The error for a stack that cannot be deployed."""


class StackError(ValueError):
    """The stack file or the selection of services is invalid.

    Each line of the message describes one problem.
    """
