"""Limits each host to one request at a time, with a pause after each request.

Rule: every web request waits its turn, including redirected requests and requests for robots.txt.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from runtime import clock
from runtime.errors import UnavailableError

LONGEST_INTERVAL_SECONDS: Final = 30.0
"""The longest pause between requests that a robots.txt file can set."""
_HOLDING_OFF_SECONDS: Final = 60.0
"""If a host is closed for longer than this, requests fail immediately instead of waiting."""
_LONGEST_CLOSED_SECONDS: Final = 24 * 3600.0
"""The longest time for which a host can close itself. Longer requests must be mistakes."""
_FORGET_AT: Final = 2_000


class PacedError(UnavailableError):
    """The host asked us to wait for `wait_seconds` before the next request."""

    def __init__(self, message: str, *, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    interval_seconds: float = 0.0
    users: int = 0


class Turns:
    """Schedules requests so that each host receives one request at a time."""

    def __init__(
        self, interval_seconds: float, *, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        self._interval_seconds = interval_seconds
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until the host is free, and reserve it until the `async with` block ends.

        Raises:
            PacedError: if requests to the host are blocked for more than a minute.
        """
        state = self._of(host)
        state.users += 1
        try:
            async with state.lock:
                pause = state.free_at - self._monotonic()
                if pause > _HOLDING_OFF_SECONDS:
                    raise PacedError(f"{host} asked us to wait {pause:.0f} s", wait_seconds=pause)
                if pause > 0:
                    await asyncio.sleep(pause)
                try:
                    yield
                finally:
                    next_at = self._monotonic() + max(
                        self._interval_seconds, state.interval_seconds
                    )
                    state.free_at = max(state.free_at, next_at)
        finally:
            state.users -= 1

    def close(self, host: str, wait_seconds: float) -> None:
        """Block requests to the host for the next `wait_seconds`, up to a day."""
        state = self._of(host)
        wait_seconds = min(wait_seconds, _LONGEST_CLOSED_SECONDS)
        state.free_at = max(state.free_at, self._monotonic() + wait_seconds)

    def slow_down(self, host: str, interval_seconds: float) -> None:
        """Set the minimum pause between requests to the host, up to 30 seconds."""
        self._of(host).interval_seconds = min(interval_seconds, LONGEST_INTERVAL_SECONDS)

    def _of(self, host: str) -> _Host:
        if host not in self._hosts and len(self._hosts) >= _FORGET_AT:
            now = self._monotonic()
            self._hosts = {
                name: state
                for name, state in self._hosts.items()
                if state.users or state.free_at > now
            }
        return self._hosts.setdefault(host, _Host())
