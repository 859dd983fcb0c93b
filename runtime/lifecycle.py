"""Runs a daemon process: handles signals, sets the exit code, and logs why the process ends.

Rule: after a bug in the main task, the process exits with a code that makes systemd restart it.
SIGTERM and SIGINT cancel the main task, which cleans up in its `finally` blocks.
"""

import asyncio
import signal
from collections.abc import Coroutine

import structlog

from runtime import systemd
from runtime.faults import cause_of, outline

EXIT_OK = 0
EXIT_BUG = 70


def run(main: Coroutine[object, object, None], *, name: str) -> int:
    """Run a daemon until a signal or a bug stops it; return the process's exit code."""
    log = structlog.get_logger(name)
    try:
        asyncio.run(_until_signalled(main))
    except (asyncio.CancelledError, KeyboardInterrupt):
        log.info("stopped by a signal")
        return EXIT_OK
    # Catch every other exception: log the bug and let systemd restart the process. Its message may
    # quote a secret.
    except BaseException as exc:  # noqa: BLE001
        log.critical("stopped because of a bug", cause=cause_of(exc), traceback=outline(exc))
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
