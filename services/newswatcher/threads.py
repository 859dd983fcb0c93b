"""Runs functions in threads. If a function hangs, its thread can be abandoned.

Rule: all threads are daemon threads. A thread that hangs while parsing a page does not prevent the
process from exiting, and a few such threads do not block the others.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from prometheus_client import Gauge

from runtime.errors import UnavailableError

T = TypeVar("T")

_LOST: Final = Gauge(
    "newswatcher_lost_threads", "Threads that did not finish in time and are still running"
)
_AT_ONCE: Final = 2
_MOST_LOST: Final = 8


class OverdueError(UnavailableError):
    """A function did not finish in time, or too many earlier threads are still running."""


class Threads:
    """Runs functions in a limited number of threads."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._lost = 0

    @property
    def lost(self) -> int:
        """The number of abandoned threads that are still running."""
        return self._lost

    async def run(self, work: Callable[[], T], *, limit_seconds: float) -> T:
        """Run `work` in a thread and return its result or raise its error.

        Raises:
            OverdueError: if `work` does not finish in time, or too many threads are still running.
        """
        async with self._slots:
            if self._lost >= _MOST_LOST:
                raise OverdueError("too many earlier threads are still running")
            loop = asyncio.get_running_loop()
            done: asyncio.Future[T] = loop.create_future()
            state = {"lost": False}

            def finish(result: T | None, error: BaseException | None) -> None:
                if state["lost"]:
                    self._lost -= 1
                    _LOST.set(self._lost)
                elif not done.done():
                    if error is not None:
                        done.set_exception(error)
                    else:
                        done.set_result(result)  # type: ignore[arg-type]

            threading.Thread(target=_work, args=(work, loop, finish), daemon=True).start()
            try:
                async with asyncio.timeout(limit_seconds):
                    return await asyncio.shield(done)
            except TimeoutError as exc:
                raise OverdueError(f"the work did not finish within {limit_seconds:g} s") from exc
            finally:
                if not done.done():
                    state["lost"] = True
                    self._lost += 1
                    _LOST.set(self._lost)


def _work(
    work: Callable[[], T],
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[T | None, BaseException | None], None],
) -> None:
    result: T | None = None
    error: BaseException | None = None
    try:
        result = work()
    except BaseException as exc:  # noqa: BLE001  passed to the waiting task
        error = exc
    try:
        loop.call_soon_threadsafe(finish, result, error)
    except RuntimeError:
        # The event loop is closed, so no task is waiting for the result.
        return
