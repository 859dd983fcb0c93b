"""Errors grouped by what the caller can do, not by the library that failed.

    ClusterError            the base class, never raised directly
    ├── UnavailableError    unavailable or throttled: try again later
    ├── RefusedError        rejected: the operator must act
    └── GoneError           the object does not exist: often harmless

Data that violates a contract raises `wire.messages.MalformedMessage` instead. Rule: code in `edges`
translates a library's error once and chains the original error. An error message states what failed
and what to do next, but never the library's name or a secret.
"""


class ClusterError(Exception):
    """The base class of all errors that code in `edges` raises."""


class UnavailableError(ClusterError):
    """The service is unavailable, busy or throttling; the same call may succeed later."""


class RefusedError(ClusterError):
    """The call was rejected and will keep failing until the operator changes something."""


class GoneError(ClusterError):
    """The requested object does not exist or no longer exists."""
