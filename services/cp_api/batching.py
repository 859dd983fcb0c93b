"""Combines many callers' single keys into few requests, while they wait for their turn.

Rule: a key has one future, however many callers want it, and the future always ends: with a value,
with the error of its request, or after `patience_seconds` when answers keep omitting the key (as
after a pre-flight). A caller that gives up does not affect the others.
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
"""Called when the request's turn has come; returns the keys to ask for, late ones included."""


@dataclass(slots=True)
class _Pending(Generic[V]):
    future: "asyncio.Future[V]"
    since: float
    was_requested: bool = False


class Batcher(Generic[K, V]):
    """One kind of request for many keys at once; `run` sends the requests, one at a time."""

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
        self._pending: dict[K, _Pending[V]] = {}
        self._has_new = asyncio.Event()

    async def get(self, key: K) -> V:
        """The value of `key` from the next request that includes it, or that request's error."""
        pending = self._pending.get(key)
        if pending is None:
            future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_retrieve)
            pending = self._pending[key] = _Pending(future, clock.monotonic())
            self._has_new.set()
        return await asyncio.shield(pending.future)

    async def run(self) -> None:
        """Send requests until cancelled; on the way out, end every pending future."""
        try:
            while True:
                await self._wait_for_keys()
                self._has_new.clear()
                await self._round()
        finally:
            for key in list(self._pending):
                self._fail(key, UnavailableError(f"{self._name}: the service is stopping"))

    async def _wait_for_keys(self) -> None:
        """Until there is a new key, or the omitted ones are due again."""
        if not self._pending:
            await self._has_new.wait()
            return
        try:
            async with asyncio.timeout(self._again_seconds):
                await self._has_new.wait()
        except TimeoutError:
            return

    async def _round(self) -> None:
        keys: list[K] = []

        def due() -> list[K]:
            # New keys come first: a contract without data must not starve the others.
            waiting = sorted(self._pending, key=lambda key: self._pending[key].was_requested)
            keys[:] = waiting[: self._most]
            for key in keys:
                self._pending[key].was_requested = True
            if len(waiting) > self._most:
                self._has_new.set()
            return keys

        try:
            values = await self._ask(due)
        except ClusterError as exc:
            for key in keys or list(self._pending):
                self._fail(key, exc)
            return
        now = clock.monotonic()
        for key in keys:
            if key in values:
                self._pending.pop(key).future.set_result(values[key])
            elif now - self._pending[key].since > self._patience_seconds:
                self._fail(key, UnavailableError(f"{self._name}: the gateway sends no data"))

    def _fail(self, key: K, error: ClusterError) -> None:
        self._pending.pop(key).future.set_exception(error)


def _retrieve(future: "asyncio.Future[V]") -> None:
    """Retrieve the error of a future without waiters, which asyncio would report otherwise."""
    if not future.cancelled():
        future.exception()
