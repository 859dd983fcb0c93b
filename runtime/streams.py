"""Streams that break are opened again, for ever, with a growing pause.

Rule: only `UnavailableError` is retried. A `RefusedError` passes through, for a person must
act; anything else is a bug and ends the process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

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
    """Follow a stream for ever: `follow` opens it and returns or raises when it ends.

    The pause starts small again once a stream has lived for a while.
    """
    delays = backoff(ceiling=ceiling)
    while True:
        opened = monotonic()
        try:
            await follow()
            reason = "it ended"
        except UnavailableError as exc:
            reason = str(exc)
        if monotonic() - opened > _HEALTHY_SECONDS:
            delays = backoff(ceiling=ceiling)
        pause = next(delays)
        log.warning("stream broken", stream=name, reason=reason, again_in_seconds=round(pause, 1))
        await asyncio.sleep(pause)


async def together(**named: Coroutine[object, object, object]) -> None:
    """Run coroutines as named tasks until the first ends; then cancel and await the others.

    Raises whatever the first one raised, bare, so that callers need no exception groups.
    """
    tasks = [
        asyncio.create_task(coroutine, name=name.replace("_", " "))
        for name, coroutine in named.items()
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(tasks)
    for task in done:
        task.result()


async def _cancel(tasks: Sequence[asyncio.Task[object]]) -> None:
    """Cancel until all have ended.

    Once is not enough: a client library whose own time-out fires at the same moment may turn
    the cancellation into an error, and a stream that retries would then live on.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
