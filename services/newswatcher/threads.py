"""Work that may not end, in threads that are given up on.

Rule: these threads are daemons. One that hangs in somebody's page neither keeps the process from
stopping nor the others from working, up to a number of them.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from prometheus_client import Gauge

from runtime.errors import UnavailableError

T = TypeVar("T")

_LOST: Final = Gauge("newswatcher_lost_threads", "Threads that did not end in time and still run")
_AT_ONCE: Final = 2
_MOST_LOST: Final = 8


class OverdueError(UnavailableError):
    """It took too long, or too much before it did."""


class Threads:
    """A few threads at once."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._lost = 0

    @property
    def lost(self) -> int:
        """How many still run that nobody waits for."""
        return self._lost

    async def run(self, work: Callable[[], T], *, limit_seconds: float) -> T:
        """What the work returns or raises.

        Raises:
            OverdueError: it did not end in time.
        """
        async with self._places:
            if self._lost >= _MOST_LOST:
                raise OverdueError("too much earlier work has not ended yet")
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

            threading.Thread(target=_labour, args=(work, loop, finish), daemon=True).start()
            try:
                async with asyncio.timeout(limit_seconds):
                    return await asyncio.shield(done)
            except TimeoutError as exc:
                raise OverdueError(f"it did not end within {limit_seconds:g} s") from exc
            finally:
                if not done.done():
                    state["lost"] = True
                    self._lost += 1
                    _LOST.set(self._lost)


def _labour(
    work: Callable[[], T],
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[T | None, BaseException | None], None],
) -> None:
    result: T | None = None
    error: BaseException | None = None
    try:
        result = work()
    except BaseException as exc:  # noqa: BLE001  handed on to whoever waits
        error = exc
    try:
        loop.call_soon_threadsafe(finish, result, error)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return
