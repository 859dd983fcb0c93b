"""Many callers' single wishes become few requests: joined while they wait for their turn.

Rule: a key has one future however many want it, and the future ends: with a value, with the
error of the request it was in, or, when answers keep leaving it out (a pre-flight), after
`patience_seconds`. A caller that gives up leaves the others' wish alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from runtime import clock
from runtime.errors import ClusterError, UnavailableError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Due = Callable[[], list[K]]
"""To be called when the request's turn has come: the keys to ask for, and joined ones with them."""


@dataclass(slots=True)
class _Wish(Generic[V]):
    future: "asyncio.Future[V]"
    since: float
    is_asked: bool = False


class Gathering(Generic[K, V]):
    """One kind of request for many keys at once; `run` does the asking, one request at a time."""

    def __init__(
        self,
        name: str,
        ask: Callable[[Due[K]], Awaitable[Mapping[K, V]]],
        *,
        most: int,
        patience_seconds: float,
        again_seconds: float = 0.5,
    ) -> None:
        self._name = name
        self._ask = ask
        self._most = most
        self._patience_seconds = patience_seconds
        self._again_seconds = again_seconds
        self._wishes: dict[K, _Wish[V]] = {}
        self._came = asyncio.Event()

    async def get(self, key: K) -> V:
        """The value of `key` by the next request that asks for it; raises what that raised."""
        wish = self._wishes.get(key)
        if wish is None:
            future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_looked_at)
            wish = self._wishes[key] = _Wish(future, clock.monotonic())
            self._came.set()
        return await asyncio.shield(wish.future)

    async def run(self) -> None:
        """Ask for ever; ends only by cancellation or a bug, and then no wish is left waiting."""
        try:
            while True:
                await self._something()
                self._came.clear()
                await self._round()
        finally:
            for key in list(self._wishes):
                self._fail(key, UnavailableError(f"{self._name}: the service is stopping"))

    async def _something(self) -> None:
        """Until somebody wants something new, or those left out are worth asking for again."""
        if not self._wishes:
            await self._came.wait()
            return
        try:
            async with asyncio.timeout(self._again_seconds):
                await self._came.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        asked: list[K] = []

        def due() -> list[K]:
            # Those never asked for come first: a contract without data must not starve others.
            waiting = sorted(self._wishes, key=lambda key: self._wishes[key].is_asked)
            asked[:] = waiting[: self._most]
            for key in asked:
                self._wishes[key].is_asked = True
            if len(waiting) > self._most:
                self._came.set()
            return asked

        try:
            found = await self._ask(due)
        except ClusterError as exc:
            for key in asked or list(self._wishes):
                self._fail(key, exc)
            return
        now = clock.monotonic()
        for key in asked:
            if key in found:
                self._wishes.pop(key).future.set_result(found[key])
            elif now - self._wishes[key].since > self._patience_seconds:
                self._fail(key, UnavailableError(f"{self._name}: the broker sends no data"))

    def _fail(self, key: K, error: ClusterError) -> None:
        self._wishes.pop(key).future.set_exception(error)


def _looked_at(future: "asyncio.Future[V]") -> None:
    """An error nobody waits for any more is no news; asyncio would report it."""
    if not future.cancelled():
        future.exception()
