"""A cache with a time limit and a size limit. The caller passes the current time."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Ages:
    """The time limits of a cache.

    A value is fresh for `fresh_seconds`. It may be served as stale until it is `stale_seconds` old.
    """

    fresh_seconds: float
    stale_seconds: float


class Cache(Generic[K, V]):
    """A cache that holds at most `most` values and evicts the least recently used value first."""

    def __init__(self, ages: Ages, *, most: int = 2000) -> None:
        self._ages = ages
        self._most = most
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: K, value: V, *, now: float) -> None:
        """Store a value that was received at time `now`."""
        self._entries[key] = (now, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def fresh(self, key: K, *, now: float, fresh_seconds: float | None = None) -> V | None:
        """Return the key's value if it is still fresh, otherwise None."""
        limit = self._ages.fresh_seconds if fresh_seconds is None else fresh_seconds
        return self._within(key, limit, now)

    def stale(self, key: K, *, now: float) -> V | None:
        """Return the key's value, even if it is stale, or None if it is too old to be served."""
        return self._within(key, self._ages.stale_seconds, now)

    def _within(self, key: K, seconds: float, now: float) -> V | None:
        if key not in self._entries:
            return None
        at, value = self._entries[key]
        if now - at > seconds:
            return None
        self._entries.move_to_end(key)
        return value
