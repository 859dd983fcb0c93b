"""Errors by what a caller can do about them, not by which library failed.

    ClusterError            root, never raised itself
    ├── UnavailableError    outside is away or throttling: try again later
    ├── RefusedError        outside said no: a person must act
    └── GoneError           the thing no longer exists: usually success

`wire.messages.MalformedMessage` stands beside them: data that is not what the contract
says. Edges translate once and chain; a message names the attempt and the next step, never
the library and never a secret.
"""


class ClusterError(Exception):
    """Root of what edges raise."""


class UnavailableError(ClusterError):
    """Outside is away, busy or throttling; the same call may succeed later."""


class RefusedError(ClusterError):
    """Outside said no, and will say it again until a person changes something."""


class GoneError(ClusterError):
    """The thing asked for no longer exists."""
