"""Starts the lab's processes: the daemon, the registry, the news wires and the port forwarder.

Rule: the first argument of each process is the lab's directory, so that `lab.sweep` can find the
process. Each process must outlive the command that starts it, so it is not a child process of that
command.
"""

import subprocess
import sys
import time
from typing import Final

from lab import sweep
from lab.cluster import REPOSITORY
from lab.host import LabError
from lab.places import Places

_DAEMON_STARTS_WITHIN_SECONDS: Final = 60
_DETACHED: Final = 'exec </dev/null >>"$1" 2>&1; shift; "$@" & exit 0'


def start(places: Places, module: str, *arguments: str) -> None:
    """Start `python -m MODULE` for the lab, unless the process is already running."""
    if sweep.process(places, module) is not None:
        return
    log = places.lab / f"{module.rpartition('.')[2]}.log"
    argv = [sys.executable, "-m", module, str(places.lab), *arguments]
    subprocess.run(
        ["sh", "-c", _DETACHED, "sh", str(log), *argv],
        check=True,
        cwd=REPOSITORY,
        env=places.environment(),
        start_new_session=True,
    )


def start_daemon(places: Places, cluster_name: str) -> None:
    """Start the lab's daemon, and wait until it is ready.

    Raises:
        LabError: if the daemon does not start. Everything that it created is then removed.
    """
    # The shell exits immediately, so the daemon is not a child of this process, which therefore
    # never has to wait for it.
    # The daemon's start takes priority over other work; see `host.prefer_this_process`.
    prefer = "echo -10 2>/dev/null >/proc/self/autogroup || true"
    script = f'{prefer}; exec </dev/null >>"$1" 2>&1; shift; "$@" & exit 0'
    argv = [sys.executable, "-m", sweep.DAEMON, str(places.lab), cluster_name]
    subprocess.run(
        ["sh", "-c", script, "sh", str(places.log), *argv],
        check=True,
        cwd=REPOSITORY,
        env=places.environment(),
        start_new_session=True,
    )
    was_running = False
    deadline = time.monotonic() + _DAEMON_STARTS_WITHIN_SECONDS
    while not places.account.exists():
        # Between fork and exec, the process cannot be recognized as the daemon.
        is_running = sweep.daemon(places) is not None
        was_running = was_running or is_running
        ended = places.failure.exists() or (was_running and not is_running)
        if ended or time.monotonic() > deadline:
            output = places.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            reason = places.failure.read_text() if places.failure.exists() else output
            sweep.sweep(places)
            raise LabError(f"the lab's daemon did not start: {reason}")
        time.sleep(0.05)
