"""Collects what concurrent callers ask for, and handles it in batches, one batch at a time.

While one batch is being handled, further items wait and become the next batch. A single item is
therefore handled at once, and a thousand items need few calls. Rule: a batch has a maximum size,
and every caller gets its own result or error.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Handles items in batches of at most `most`.

    `handle` receives the items of one batch and returns a result or an error for each, in the same
    order. If `handle` raises an error, every caller of the batch gets that error.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        most: int,
    ) -> None:
        self._handle = handle
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Add an item to the next batch; return its result or raise its error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._handle_all(), name="handle batches")
        return await future

    async def _handle_all(self) -> None:
        while self._waiting:
            count = min(self._most, len(self._waiting))
            # A caller that was cancelled needs no result.
            batch = [self._waiting.popleft() for _ in range(count)]
            batch = [entry for entry in batch if not entry[1].done()]
            if batch:
                await self._handle_batch(batch)

    async def _handle_batch(self, batch: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._handle([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as exc:  # noqa: BLE001  every caller gets the error
            results = [exc] * len(batch)
        if len(results) != len(batch):
            results = [RuntimeError(f"{len(batch)} items got {len(results)} results")] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
