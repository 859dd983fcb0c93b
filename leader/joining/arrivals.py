"""Sorts messages as they arrive, before anything that takes the leader's time.

Anyone with the broker's password can push 10,000 messages a second, and opening a box takes 40 µs.
What a member's key sent comes first. A join request with a stamp cost its sender some work, so it
comes next. Other requests come from older agents or from somebody who floods the broker; of these,
only so many a second are opened. Rules: each check takes about a microsecond, memory is bounded,
and times come from a monotonic clock.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from wire.sealing import read_envelope
from wire.stamps import is_stamp

_REMEMBERED: Final = 20_000
_REPEATS_ANSWERED: Final = 20.0
"""How many repeated messages per second are opened, so that their senders learn of the replay."""
_MEMBER_BURST: Final = 10
"""A member's agent sends one report in 20 seconds for each notice, and a farewell."""
_MEMBERS_REMEMBERED: Final = 10_000


class Lane(StrEnum):
    """How urgent a message is; members come first."""

    MEMBER = "member"
    STAMPED = "stamped"
    PLAIN = "plain"


class Drop(StrEnum):
    """Why a message is dropped unopened; a label of the metric, so the set is small."""

    MALFORMED = "malformed"
    REPEATED = "repeated"
    STRANGER = "stranger"
    CROWDED = "crowded-out"


@dataclass(slots=True)
class Pace:
    """Limits how often something happens: `burst` times at once, then `per_second`."""

    per_second: float
    burst: float
    _left: float = field(init=False)
    _at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._left = self.burst

    def allows(self, at: float) -> bool:
        """Return whether it may happen now, and count it if so; `at` is in seconds."""
        self._left = min(self.burst, self._left + max(0.0, at - self._at) * self.per_second)
        self._at = at
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Recent:
    """Remembers at least the last `count` messages, and at most twice as many."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def remember(self, envelope: bytes) -> bool:
        """Return whether the message is remembered already, and remember it."""
        mark = hash(envelope)
        if mark in self._newer or mark in self._older:
            return True
        if len(self._newer) >= self._count:
            self._older, self._newer = self._newer, set()
        self._newer.add(mark)
        return False


class Arrivals:
    """Sorts sealed messages by what can be seen without opening them."""

    def __init__(self, *, plain_per_second: float) -> None:
        self._plain = Pace(plain_per_second, plain_per_second)
        self._repeats = Pace(_REPEATS_ANSWERED, _REPEATS_ANSWERED)
        self._members: dict[str, Pace] = {}
        # Unstamped messages must not push stamped ones out of the memory.
        self._stamped = Recent(_REMEMBERED)
        self._unstamped = Recent(_REMEMBERED)

    def sort_report(self, data: bytes, at: float, members: Container[str]) -> Lane | Drop:
        """Sort a message of the members' list; `members` are the nodes' join keys in base64."""
        envelope = read_envelope(data)
        if envelope is None:
            return Drop.MALFORMED
        return self._sort_member(envelope.sender_text, at, members)

    def sort_request(
        self, data: bytes, at: float, members: Container[str], now: datetime
    ) -> Lane | Drop:
        """Sort a message of the list of requests, where older agents also push their reports."""
        envelope = read_envelope(data)
        if envelope is None:
            return Drop.MALFORMED
        sender = envelope.sender_text
        if sender in members:
            return self._sort_member(sender, at, members)
        is_stamped = is_stamp(envelope.sender, envelope.nonce, now)
        recent = self._stamped if is_stamped else self._unstamped
        if recent.remember(envelope.sender + envelope.nonce):
            return Lane.PLAIN if self._repeats.allows(at) else Drop.REPEATED
        if is_stamped:
            return Lane.STAMPED
        return Lane.PLAIN if self._plain.allows(at) else Drop.CROWDED

    def _sort_member(self, sender: str, at: float, members: Container[str]) -> Lane | Drop:
        if sender not in members:
            return Drop.STRANGER
        pace = self._members.get(sender)
        if pace is None:
            if len(self._members) >= _MEMBERS_REMEMBERED:
                self._members.clear()
            pace = self._members[sender] = Pace(1.0, _MEMBER_BURST)
        return Lane.MEMBER if pace.allows(at) else Drop.CROWDED
