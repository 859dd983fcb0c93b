"""The life of a daemon process: signals, exit codes, the last word in the log.

Rule: a root task that ends by a bug ends the process with a code systemd restarts on;
SIGTERM and SIGINT cancel the main task, which says its farewells in `finally`.
"""

import asyncio
import signal
from collections.abc import Coroutine

import structlog

from runtime import systemd

EXIT_OK = 0
EXIT_BUG = 70


def run(main: Coroutine[object, object, None], *, name: str) -> int:
    """Run one daemon until it is told to stop; returns the process's exit code."""
    log = structlog.get_logger(name)
    try:
        asyncio.run(_until_signalled(main))
    except (asyncio.CancelledError, KeyboardInterrupt):
        log.info("stopped")
        return EXIT_OK
    # The process's last resort: say what broke, then let systemd start it anew.
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
