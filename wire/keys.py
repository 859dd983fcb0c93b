"""Every Redis key and how long it lives: one place, so that ACL and code cannot disagree.

Rule: no other module spells a Redis key. Requests are a list, never a stream: an agent's
XADD could trim or brick a stream, and an ACL cannot restrict arguments.
"""

from datetime import timedelta
from typing import Final

REPLY_LIFETIME: Final = timedelta(seconds=60)
"""How long an unread reply stays at the broker."""

GRANT_LIFETIME: Final = timedelta(seconds=60)
"""How long a grant may be used, and how long the leader counts it as outstanding."""

NOTICE_WAIT: Final = timedelta(seconds=20)
"""How long an agent waits on the reply list of one notice before it sends the next."""

HEARTBEAT_EVERY: Final = timedelta(seconds=5)
HEARTBEAT_LIFETIME: Final = timedelta(seconds=20)

REQUESTS_KEPT: Final = 500
"""Older requests are cut off: their senders have given up and asked again."""


def requests(cluster: str) -> str:
    """The list agents push on: join requests, notices, farewells."""
    return f"spotswarm:{cluster}:requests"


def reply(cluster: str, name: str) -> str:
    """The list one reply is pushed on; `name` is 128 random bits only the asker knows."""
    return f"{reply_prefix(cluster)}{name}"


def reply_prefix(cluster: str) -> str:
    """What every reply list's name begins with, for the ACL."""
    return f"spotswarm:{cluster}:reply:"


def heartbeat(cluster: str) -> str:
    """The key that holds the active leader's last heartbeat."""
    return f"spotswarm:{cluster}:heartbeat"
