"""Errors by what a caller can do about them, not by which library failed.

    ClusterError            root, never raised itself
    ├── UnavailableError    unavailable or throttling: try again later
    ├── RefusedError        refused: a person must act
    └── GoneError           the object no longer exists: usually success

`wire.messages.MalformedMessage` complements them, for data that breaks a contract. Edges
translate a library's error once and chain it. A message names the attempt and the next step,
never the library and never a secret.
"""


class ClusterError(Exception):
    """The root of what edges raise."""


class UnavailableError(ClusterError):
    """The other side is unavailable, busy or throttling; the same call may succeed later."""


class RefusedError(ClusterError):
    """The other side refuses, and will refuse until a person changes something."""


class GoneError(ClusterError):
    """The object no longer exists."""
