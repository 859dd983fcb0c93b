"""The broker's Redis keys and their lifetimes, defined once so that the ACL and the code agree.

Rule: no other module contains a literal Redis key. Requests are kept in a list, not in a stream. An
ACL cannot restrict the arguments of XADD, so an agent could trim a stream or make it unusable.
"""

from datetime import timedelta
from typing import Final

REPLY_LIFETIME: Final = timedelta(seconds=60)
"""How long the broker keeps an unread reply."""

GRANT_LIFETIME: Final = timedelta(seconds=60)
"""How long a grant is valid, and how long the leader counts it as outstanding."""

NOTICE_WAIT: Final = timedelta(seconds=20)
"""How long an agent waits for a reply to a notice before it sends the next notice."""

HEARTBEAT_EVERY: Final = timedelta(seconds=5)
HEARTBEAT_LIFETIME: Final = timedelta(seconds=20)

REQUESTS_KEPT: Final = 2000
"""The maximum number of messages that wait in each list. Older messages are dropped. The leader
takes hundreds at a time, so that only a flood fills a list."""


def requests(cluster: str) -> str:
    """Return the key of the list of join requests.

    Agents of earlier versions push their notices and farewells to this list, too.
    """
    return f"spotswarm:{cluster}:requests"


def reports(cluster: str) -> str:
    """Return the key of the list of members' notices and farewells; the leader reads it first."""
    return f"spotswarm:{cluster}:reports"


def reply(cluster: str, name: str) -> str:
    """Return the key of the list that receives one reply.

    `name` contains 128 random bits and is a secret shared by the requesting agent and the leader.
    """
    return f"{reply_prefix(cluster)}{name}"


def reply_prefix(cluster: str) -> str:
    """Return the key prefix that all reply lists share. The ACL uses this prefix."""
    return f"spotswarm:{cluster}:reply:"


def heartbeat(cluster: str) -> str:
    """Return the key that stores the active leader's last heartbeat."""
    return f"spotswarm:{cluster}:heartbeat"
