"""Decides which connections to the broker are closed, so that nobody keeps others from connecting.

An agent connects for one message: it pushes the message, waits for the reply and closes the
connection. Rule: many instances may share the public address of one NAT gateway. An address alone
is therefore no reason to close a connection, unless almost all of the broker's connections are
taken. Then the address with the most connections loses its oldest ones. Private addresses, which
belong to our own network, lose none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, NamedTuple

_LOGIN_SECONDS: Final = 10
"""An agent that joins gives up its connection after 8 s. Whoever is closed earlier begins the TLS
handshake again, and keeps Redis busy for nothing."""
_IDLE_SECONDS: Final = 12
"""How old a connection may be that does not wait for a reply. After the login, an agent takes
moments to send its message."""
_WAIT_SECONDS: Final = 40
"""How long a connection may wait for a reply. An agent waits at most 20 seconds."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A connection to the broker that is not the leader's own."""

    id: int
    address: str
    age_seconds: int
    is_logged_in: bool
    is_waiting: bool
    """Whether the connection waits for a reply."""


class Closing(NamedTuple):
    """A connection to close, and why."""

    id: int
    reason: str


def to_close(visitors: Iterable[Visitor], *, most: int) -> tuple[Closing, ...]:
    """Return the connections to close so that about `most` connections remain."""
    staying: list[Visitor] = []
    closing: list[Closing] = []
    for visitor in visitors:
        reason = _overstays(visitor)
        if reason:
            closing.append(Closing(visitor.id, reason))
        else:
            staying.append(visitor)
    closing.extend(Closing(visitor.id, "crowd") for visitor in _crowd(staying, most))
    return tuple(closing)


def _overstays(visitor: Visitor) -> str:
    if not visitor.is_logged_in:
        return "not-logged-in" if visitor.age_seconds > _LOGIN_SECONDS else ""
    if not visitor.is_waiting:
        return "not-waiting" if visitor.age_seconds > _IDLE_SECONDS else ""
    return "waiting-too-long" if visitor.age_seconds > _WAIT_SECONDS else ""


def _crowd(visitors: list[Visitor], most: int) -> Iterator[Visitor]:
    """Yield the oldest connections of the public addresses that have the most."""
    excess = len(visitors) - most
    if excess <= 0:
        return
    oldest_last: dict[str, list[Visitor]] = {}
    for visitor in sorted(visitors, key=lambda visitor: visitor.age_seconds):
        if not _is_private(visitor.address):
            oldest_last.setdefault(visitor.address, []).append(visitor)
    counts = Counter({address: len(those) for address, those in oldest_last.items()})
    for _ in range(min(excess, counts.total())):
        address, _count = counts.most_common(1)[0]
        counts[address] -= 1
        yield oldest_last[address].pop()


def _is_private(address: str) -> bool:
    try:
        return not ip_address(address).is_global
    except ValueError:
        return False
