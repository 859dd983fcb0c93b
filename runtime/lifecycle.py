"""Running a daemon process: signals, exit codes, the last log entry.

Rule: a bug in the main task ends the process with an exit code that makes systemd restart it;
SIGTERM and SIGINT cancel the main task, which cleans up in `finally`.
"""

import asyncio
import signal
from collections.abc import Coroutine

import structlog

from runtime import systemd

EXIT_OK = 0
EXIT_BUG = 70


def run(main: Coroutine[object, object, None], *, name: str) -> int:
    """Run a daemon until it is told to stop; returns the exit code of the process."""
    log = structlog.get_logger(name)
    try:
        asyncio.run(_until_signalled(main))
    except (asyncio.CancelledError, KeyboardInterrupt):
        log.info("stopped")
        return EXIT_OK
    # The last resort: log what failed, then let systemd restart the process.
    except BaseException:
        log.exception("ended by a bug")
        return EXIT_BUG
    return EXIT_OK


async def _until_signalled(main: Coroutine[object, object, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, task)
    await task


def _stop(task: "asyncio.Future[None]") -> None:
    systemd.notify(STOPPING="1", STATUS="stopping")
    task.cancel()
