"""The broker's Redis keys and their lifetimes, in one place so that ACL and code agree.

Rule: no other module spells a Redis key. Requests are a list, never a stream: an agent's XADD
could trim or break a stream, and an ACL cannot restrict arguments.
"""

from datetime import timedelta
from typing import Final

REPLY_LIFETIME: Final = timedelta(seconds=60)
"""How long the broker keeps an unread reply."""

GRANT_LIFETIME: Final = timedelta(seconds=60)
"""How long a grant is valid, and how long the leader counts it as outstanding."""

NOTICE_WAIT: Final = timedelta(seconds=20)
"""How long an agent waits for the reply to one notice before it sends the next."""

HEARTBEAT_EVERY: Final = timedelta(seconds=5)
HEARTBEAT_LIFETIME: Final = timedelta(seconds=20)

REQUESTS_KEPT: Final = 500
"""Older requests are dropped: their senders have given up and asked again."""


def requests(cluster: str) -> str:
    """The list that agents push to: join requests, notices, farewells."""
    return f"spotswarm:{cluster}:requests"


def reply(cluster: str, name: str) -> str:
    """The list that one reply is pushed to; `name` is 128 random bits that only the asker knows."""
    return f"{reply_prefix(cluster)}{name}"


def reply_prefix(cluster: str) -> str:
    """The prefix of every reply list, for the ACL."""
    return f"spotswarm:{cluster}:reply:"


def heartbeat(cluster: str) -> str:
    """The key of the active leader's last heartbeat."""
    return f"spotswarm:{cluster}:heartbeat"
