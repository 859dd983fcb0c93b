"""Callers that want the same value share one call. A caller that gives up does not end it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedCalls(Generic[K, V]):
    """Running calls by key; leaving the context ends them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def join(self, key: K, begin: Callable[[], Awaitable[V]]) -> V:
        """The value of the running call for `key`, which `begin` starts if there is none.

        The call continues without its callers, so `begin` must end by itself.
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
            task.exception()  # retrieved, in case all callers have gone

    async def __aenter__(self) -> Self:
        """Begin without calls."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the running calls."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(begin: Callable[[], Awaitable[V]]) -> V:
    return await begin()
