"""Combines the keys requested by many callers into a few requests.

Rule: all callers that wait for the same key share one future. The future returns the key's value or
raises the request's error. If responses keep omitting the key, the future fails after
`patience_seconds`. A caller that stops waiting does not affect other callers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from runtime import clock
from runtime.errors import ClusterError, UnavailableError

log = structlog.get_logger("cp_api")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Due = Callable[[], list[K]]
"""Returns the keys to request. Called just before the request is sent, to include late keys."""


@dataclass(slots=True)
class _Pending(Generic[V]):
    future: "asyncio.Future[V]"
    since: float
    was_requested: bool = False


class Batcher(Generic[K, V]):
    """Batches one kind of request. `run` sends the requests one at a time."""

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
        """Add `key` to the next request, and return the key's value from the response.

        If the request fails, this method raises the request's error.
        """
        pending = self._pending.get(key)
        if pending is None:
            future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_retrieve)
            pending = self._pending[key] = _Pending(future, clock.monotonic())
            self._has_new.set()
        return await asyncio.shield(pending.future)

    async def run(self) -> None:
        """Send requests until cancelled, then fail all futures that are still pending."""
        try:
            while True:
                await self._wait_for_keys()
                self._has_new.clear()
                await self._round()
        finally:
            for key in list(self._pending):
                self._fail(key, UnavailableError(f"{self._name}: the service is stopping"))

    async def _wait_for_keys(self) -> None:
        """Wait until there is a new key or it is time to request omitted keys again."""
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
            # Put new keys first, so that keys without data do not starve them.
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
        except Exception:
            # A response that we misread must not end the requests that come later.
            log.exception("request failed because of a bug", requests=self._name)
            for key in keys or list(self._pending):
                self._fail(key, UnavailableError(f"{self._name}: the response was misread"))
            return
        now = clock.monotonic()
        for key in keys:
            if key in values:
                self._pending.pop(key).future.set_result(values[key])
            elif now - self._pending[key].since > self._patience_seconds:
                self._fail(key, UnavailableError(f"{self._name}: the gateway sent no data"))

    def _fail(self, key: K, error: ClusterError) -> None:
        self._pending.pop(key).future.set_exception(error)


def _retrieve(future: "asyncio.Future[V]") -> None:
    """Retrieve a future's error, because asyncio logs errors that are never retrieved."""
    if not future.cancelled():
        future.exception()
