"""Runs several long-lived tasks together, and reopens streams that end.

Rule: without `faults`, only `UnavailableError` leads to a retry, and any other error ends the
process. A stream with `faults` is reopened after every error, except the types in `ends`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import structlog

from runtime.backoff import backoff
from runtime.clock import monotonic
from runtime.errors import ClusterError, UnavailableError
from runtime.faults import Faults

log = structlog.get_logger("streams")

_HEALTHY_SECONDS = 10.0
_CANCEL_AGAIN_SECONDS = 0.5


async def resilient(
    name: str,
    follow: Callable[[], Awaitable[None]],
    *,
    ceiling: float = 15.0,
    faults: Faults | None = None,
    ends: tuple[type[Exception], ...] = (),
) -> None:
    """Keep a stream open until cancelled.

    `follow` opens the stream, and returns or raises UnavailableError when the stream ends. After a
    pause, the stream is reopened. The pauses get longer, up to `ceiling` seconds. After a stream
    has lasted more than ten seconds, the next pause is short again. If `faults` is set, the stream
    is also reopened after any other error that is not one of the types in `ends`.
    """
    delays = backoff(ceiling=ceiling)
    while True:
        opened = monotonic()
        if faults is None:
            reason = await _reason_for_end(follow, ())
        else:
            reason = "a fault of this program, which the log describes"
            with faults.contained(name, passing=ends):
                reason = await _reason_for_end(follow, ends, is_lasting=True)
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


async def _reason_for_end(
    follow: Callable[[], Awaitable[None]],
    ends: tuple[type[Exception], ...],
    *,
    is_lasting: bool = False,
) -> str:
    try:
        await follow()
    except UnavailableError as exc:
        return str(exc)
    except ClusterError as exc:
        if not is_lasting or isinstance(exc, ends):
            raise
        return str(exc)
    return "the stream ended"


async def together(**named: Coroutine[object, object, object]) -> None:
    """Run coroutines as named tasks until the first task ends; then cancel and await the rest.

    If the first task failed, its exception is raised directly, not in an exception group.
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
    """Cancel the tasks repeatedly until all of them have ended, and ignore their errors.

    A single cancellation is not always enough. If a time-out expires in a client library at the
    same moment, the library may turn the cancellation into an error. A stream that retries after
    this error would keep running.
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
