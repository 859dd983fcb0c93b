"""The error of a stack that cannot be deployed."""


class StackError(ValueError):
    """The stack file, or the choice of its services, is wrong: one sentence per line."""
