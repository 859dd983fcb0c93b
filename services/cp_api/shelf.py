"""What the gateway said, kept for as long as it may be said again. Pure; time is a value."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Ages:
    """Up to `fresh_seconds` old it is as good as asked for; up to `stale_seconds` better than
    nothing.
    """

    fresh_seconds: float
    stale_seconds: float


class Shelf(Generic[K, V]):
    """At most `most` values; the one that nobody looked at for longest goes first."""

    def __init__(self, ages: Ages, *, most: int = 2000) -> None:
        self._ages = ages
        self._most = most
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: K, value: V, *, now: float) -> None:
        """Keep a value that was just said."""
        self._kept[key] = (now, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def fresh(self, key: K, *, now: float, fresh_seconds: float | None = None) -> V | None:
        """The value when it may be given as if just asked for."""
        limit = self._ages.fresh_seconds if fresh_seconds is None else fresh_seconds
        return self._within(key, limit, now)

    def stale(self, key: K, *, now: float) -> V | None:
        """The value when it may be given with the word that it is old."""
        return self._within(key, self._ages.stale_seconds, now)

    def _within(self, key: K, seconds: float, now: float) -> V | None:
        if key not in self._kept:
            return None
        at, value = self._kept[key]
        if now - at > seconds:
            return None
        self._kept.move_to_end(key)
        return value
