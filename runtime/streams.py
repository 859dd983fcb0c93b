"""Runs long-lived tasks: reopens streams that end, and runs several tasks together.

Rule: retry only after `UnavailableError`. `RefusedError` is not caught, because the operator must
act; any other error is a bug that ends the process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import structlog

from runtime.backoff import backoff
from runtime.clock import monotonic
from runtime.errors import UnavailableError

log = structlog.get_logger("streams")

_HEALTHY_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.5


async def resilient(
    name: str, follow: Callable[[], Awaitable[None]], *, ceiling: float = 15.0
) -> None:
    """Keep a stream open until cancelled.

    `follow` opens the stream, and returns or raises UnavailableError when the stream ends. The
    pauses before reopening the stream increase up to `ceiling` seconds, and are short again after a
    stream has lasted for ten seconds.
    """
    delays = backoff(ceiling=ceiling)
    while True:
        opened = monotonic()
        try:
            await follow()
            reason = "the stream ended"
        except UnavailableError as exc:
            reason = str(exc)
        if monotonic() - opened > _HEALTHY_SECONDS:
            delays = backoff(ceiling=ceiling)
        pause = next(delays)
        log.warning(
            "stream ended; reopening it soon",
            stream=name,
            reason=reason,
            retry_in_seconds=round(pause, 1),
        )
        await asyncio.sleep(pause)


async def together(**named: Coroutine[object, object, object]) -> None:
    """Run coroutines as named tasks until the first task ends; then cancel and await the rest.

    If the first task ended with an exception, that exception is raised without an exception group.
    """
    tasks = [
        asyncio.create_task(coroutine, name=name.replace("_", " "))
        for name, coroutine in named.items()
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_all(tasks)
    for task in done:
        task.result()


async def cancel_all(tasks: Iterable[asyncio.Task[object]]) -> None:
    """Cancel the tasks repeatedly until all of them have ended; do not raise their errors.

    A single cancellation is not enough: if a client library's time-out expires at the same moment,
    the library may turn the cancellation into an error, and a stream that retries would continue.
    """
    everything = tuple(tasks)
    pending = {task for task in everything if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
    for task in everything:
        if not task.cancelled():
            task.exception()  # asyncio would report an error that nobody retrieved
