"""The errors for a stack that cannot be deployed."""


class StackError(ValueError):
    """The stack file or the selection of services is invalid.

    Each line of the message describes one problem.
    """


class VariableError(StackError):
    """Variables that the stack file requires are not set, or SERVICES selects wrong services.

    The operator corrects .env, not the stack file.
    """
