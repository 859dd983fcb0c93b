"""One request at a time to a host, and a pause after it.

Rule: every request to the web takes its turn here, redirects and robots.txt as well.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from runtime import clock
from runtime.errors import UnavailableError

LONGEST_INTERVAL_SECONDS: Final = 30.0
"""A host that asks for a longer pause between requests gets this one: its pages are few."""
_HOLDING_OFF_SECONDS: Final = 60.0
"""A host closed for longer is not waited for."""
_FORGET_AT: Final = 2_000


class PacedError(UnavailableError):
    """The host asked us to come back later."""

    def __init__(self, told: str, *, wait_seconds: float) -> None:
        super().__init__(told)
        self.wait_seconds = wait_seconds


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    interval_seconds: float = 0.0
    users: int = 0


class Turns:
    """Who may ask which host when."""

    def __init__(
        self, interval_seconds: float, *, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._interval_seconds = interval_seconds
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for the host, and keep it to oneself until the block ends.

        Raises:
            PacedError: it closed for longer than a moment.
        """
        one = self._of(host)
        one.users += 1
        try:
            async with one.lock:
                pause = one.free_at - self._monotonic()
                if pause > _HOLDING_OFF_SECONDS:
                    raise PacedError(
                        f"{host} asked to be left alone for {pause:.0f} s", wait_seconds=pause
                    )
                if pause > 0:
                    await asyncio.sleep(pause)
                try:
                    yield
                finally:
                    next_at = self._monotonic() + max(self._interval_seconds, one.interval_seconds)
                    one.free_at = max(one.free_at, next_at)
        finally:
            one.users -= 1

    def close(self, host: str, wait_seconds: float) -> None:
        """Leave the host alone for so long, whoever wants to ask it."""
        one = self._of(host)
        one.free_at = max(one.free_at, self._monotonic() + wait_seconds)

    def slow_down(self, host: str, interval_seconds: float) -> None:
        """From now on pause at least so long between requests to this host."""
        self._of(host).interval_seconds = min(interval_seconds, LONGEST_INTERVAL_SECONDS)

    def _of(self, host: str) -> _Host:
        if host not in self._hosts and len(self._hosts) >= _FORGET_AT:
            now = self._monotonic()
            self._hosts = {
                name: one for name, one in self._hosts.items() if one.users or one.free_at > now
            }
        return self._hosts.setdefault(host, _Host())
