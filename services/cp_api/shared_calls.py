"""Lets several callers that need the same value share one call.

The call continues even if a caller gives up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

from runtime.streams import cancel_all

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedCalls(Generic[K, V]):
    """The running calls, by key. Leaving the `async with` block cancels all calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self, key: K, begin: Callable[[], Awaitable[V]]) -> V:
        """Wait for the running call for `key`, or start one with `begin`, and return its result.

        The call continues even if all of its callers give up, so `begin` must set a time-out.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_awaited(begin), name=f"{self._name} {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    def _finished(self, key: K, task: "asyncio.Task[V]") -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # asyncio would report an error that nobody retrieved

    async def __aenter__(self) -> Self:
        """Enter the context. No calls are running yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the running calls and wait for them to end."""
        await cancel_all(self._tasks.values())


async def _awaited(begin: Callable[[], Awaitable[V]]) -> V:
    return await begin()
