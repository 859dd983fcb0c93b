"""Errors, grouped by how the caller can respond rather than by the library that failed.

    ClusterError            the base class, never raised directly
    ├── UnavailableError    unavailable or throttled: try again later
    ├── RefusedError        rejected: the operator must act
    └── GoneError           the object does not exist: often harmless

For a malformed message, `wire.messages.MalformedMessage` is raised instead. Rule: code in `edges`
converts each library error to one of these errors and chains the original error. An error message
states what failed and what to do next. It never contains a secret or the library's name.
"""


class ClusterError(Exception):
    """The base class of all errors that code in `edges` raises."""


class UnavailableError(ClusterError):
    """The service is unavailable, busy or throttling; the same call may succeed later."""


class RefusedError(ClusterError):
    """The call was rejected and will keep failing until the operator changes something."""


class GoneError(ClusterError):
    """The requested object does not exist or no longer exists."""
