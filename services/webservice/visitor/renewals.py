"""Renews a login only once, even if several browser tabs need the renewal at the same time.

A refresh token may be used only once. If the auth service receives a refresh token twice, it
assumes that the token was stolen and ends the login. Tabs with the same token must therefore share
one renewal. The result is kept for a minute, because some tabs may have sent their requests before
the browser received the new token.

Rule: this module only prevents a token from being used twice. It does not identify visitors.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from runtime import clock

_MOST: Final = 10_000
_KEEP_SECONDS: Final = 60.0


class Renewed(Protocol):
    """The result of a renewal, which contains the new tokens."""

    @property
    def refresh(self) -> str:
        """The next refresh token."""
        ...


T = TypeVar("T", bound=Renewed)


@dataclass(slots=True)
class _Renewal(Generic[T]):
    task: "asyncio.Task[T]"
    since: float


class Renewals(Generic[T]):
    """Calls `renew` once for each refresh token. All requests in this process share the result."""

    def __init__(
        self, renew: Callable[[str], Awaitable[T]], *, keep_seconds: float = _KEEP_SECONDS
    ) -> None:
        self._renew = renew
        self._keep_seconds = keep_seconds
        self._running: dict[str, _Renewal[T]] = {}

    async def __call__(self, refresh: str) -> T:
        """Return the newest tokens that replace `refresh`.

        The renewal continues even if a caller stops waiting, and later callers get the result. If
        `renew` raises an error, the error is raised in every waiting caller.
        """
        followed = {refresh}
        while True:
            answer = await asyncio.shield(self._ask(refresh).task)
            # The new token may have been used up in the meantime.
            if self._key(answer.refresh) not in self._running or answer.refresh in followed:
                return answer
            refresh = answer.refresh
            followed.add(refresh)

    def _ask(self, refresh: str) -> _Renewal[T]:
        self._forget()
        key = self._key(refresh)
        renewal = self._running.get(key)
        if renewal is None:
            task = asyncio.create_task(self._renewed(refresh), name="renew a login")
            renewal = self._running[key] = _Renewal(task, clock.monotonic())
            task.add_done_callback(lambda done: self._ended(key, done))
        return renewal

    async def _renewed(self, refresh: str) -> T:
        return await self._renew(refresh)

    def _ended(self, key: str, task: "asyncio.Task[T]") -> None:
        if task.cancelled() or task.exception() is not None:
            self._running.pop(key, None)

    def _forget(self) -> None:
        oldest = clock.monotonic() - self._keep_seconds
        for key, renewal in list(self._running.items()):
            if renewal.since > oldest and len(self._running) <= _MOST:
                break
            if renewal.task.done():
                del self._running[key]

    @staticmethod
    def _key(refresh: str) -> str:
        # Use a hash, so that a memory dump does not contain tokens.
        return hashlib.sha256(refresh.encode()).hexdigest()
