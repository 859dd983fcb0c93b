"""Equal requests that are under way are one request. A caller that gives up ends nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Calls under way by key; leaving the context ends them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._under_way: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def join(self, key: K, begin: Callable[[], Awaitable[V]]) -> V:
        """The value of the call under way for `key`, which `begin` makes when there is none.

        The call goes on without its callers: `begin` must end by itself.
        """
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(_awaited(begin), name=f"{self._name} {key}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: K, task: "asyncio.Task[V]") -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at, for callers may all have gone

    async def __aenter__(self) -> Self:
        """Nothing is under way yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _awaited(begin: Callable[[], Awaitable[V]]) -> V:
    return await begin()
