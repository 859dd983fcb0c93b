"""Long-running tasks: reopening streams that break, and running several tasks together.

Rule: retry only after `UnavailableError`. `RefusedError` passes through, because a person must
act; any other error is a bug and ends the process.
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
    """Follow a stream for ever: `follow` opens it, and returns or raises when it ends.

    The pauses before reopening grow, and are short again after a stream has lasted for a while.
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
        log.warning("stream broken", stream=name, reason=reason, again_in_seconds=round(pause, 1))
        await asyncio.sleep(pause)


async def together(**named: Coroutine[object, object, object]) -> None:
    """Run coroutines as named tasks until the first one ends; then cancel and await the others.

    Raises what the first one raised, without an exception group around it.
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

    Cancelling once is not enough: a client library whose own timeout fires at the same moment may
    turn the cancellation into an error, and a stream that retries would then go on.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
