"""One renewal of a login at a time, however many tabs ask.

A refresh token may be used once: its second use looks like theft to auth, which then ends the
whole login. Tabs that come with the same one must therefore share one answer, and so must a tab
that had sent its request before the browser heard of the new one: answers are kept for a while.

Rule: nothing here decides who somebody is; it only keeps two of our own requests from one token.
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
    """What a renewal gives: tokens in place of the ones used up."""

    @property
    def refresh(self) -> str:
        """What renews them in turn."""
        ...


T = TypeVar("T", bound=Renewed)


@dataclass(slots=True)
class _Asked(Generic[T]):
    task: "asyncio.Task[T]"
    since: float


class Renewals(Generic[T]):
    """Answers of `renew`, shared between requests of this process."""

    def __init__(
        self, renew: Callable[[str], Awaitable[T]], *, keep_seconds: float = _KEEP_SECONDS
    ) -> None:
        self._renew = renew
        self._keep_seconds = keep_seconds
        self._asked: dict[str, _Asked[T]] = {}

    async def __call__(self, refresh: str) -> T:
        """The newest tokens that follow from `refresh`; what `renew` raises is raised to all.

        A caller that goes away does not stop the renewal: the next one gets its answer.
        """
        followed = {refresh}
        while True:
            answer = await asyncio.shield(self._ask(refresh).task)
            # Meanwhile that one may have been used up as well.
            if self._key(answer.refresh) not in self._asked or answer.refresh in followed:
                return answer
            refresh = answer.refresh
            followed.add(refresh)

    def _ask(self, refresh: str) -> _Asked[T]:
        self._forget()
        key = self._key(refresh)
        asked = self._asked.get(key)
        if asked is None:
            task = asyncio.create_task(self._renewed(refresh), name="renew a login")
            asked = self._asked[key] = _Asked(task, clock.monotonic())
            task.add_done_callback(lambda done: self._ended(key, done))
        return asked

    async def _renewed(self, refresh: str) -> T:
        return await self._renew(refresh)

    def _ended(self, key: str, task: "asyncio.Task[T]") -> None:
        if task.cancelled() or task.exception() is not None:
            self._asked.pop(key, None)

    def _forget(self) -> None:
        oldest = clock.monotonic() - self._keep_seconds
        for key, asked in list(self._asked.items()):
            if asked.since > oldest and len(self._asked) <= _MOST:
                break
            if asked.task.done():
                del self._asked[key]

    @staticmethod
    def _key(refresh: str) -> str:
        # Not the token itself: what lies in memory for a minute need not be worth stealing.
        return hashlib.sha256(refresh.encode()).hexdigest()
