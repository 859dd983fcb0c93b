"""Starts the lab's processes: the daemon, the registry, the news wires, the window to the site.

Rule: the first argument of each process is the lab's directory, by which `lab.sweep` finds and ends
it. A process is not a child of the command that starts it, because it outlives that command.
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
    """Start `python -m module` for the lab that is up, unless it runs already."""
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
    """Start the lab's daemon and wait until the account file exists.

    Raises:
        LabError: the daemon did not start; what it started is removed.
    """
    # The shell ends at once, so that the daemon is not a child of this process: the caller may
    # outlive the daemon or end before it, and never has to wait for it.
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
        # Between the shell's fork and its exec the process does not look like a daemon yet.
        is_running = sweep.daemon(places) is not None
        was_running = was_running or is_running
        ended = places.failure.exists() or (was_running and not is_running)
        if ended or time.monotonic() > deadline:
            output = places.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            reason = places.failure.read_text() if places.failure.exists() else output
            sweep.sweep(places)
            raise LabError(f"the lab's daemon did not start: {reason}")
        time.sleep(0.05)
