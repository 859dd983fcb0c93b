"""Starts a lab: its directories, the layers that machines boot from, and the daemon."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from lab import cluster, sweep
from lab.host import LabError
from lab.machines import layer
from lab.places import Places

EXTRA_LAYER: Final = "SPOTSWARM_LAB_EXTRA_LAYER"
"""Environment variable: a directory to add as the topmost layer of the image."""
_START_SECONDS: Final = 60


def make_directories(places: Places) -> None:
    """Make the lab's directories and the layer with its settings."""
    places.lab.mkdir(mode=0o700, parents=True)
    places.machines.mkdir()
    places.efs.mkdir(mode=0o755)
    layer.write(places.lab / "layer", places)


def offer_layers(places: Places, engine: str, layers: list[Path]) -> None:
    """List the layers that machines with this engine boot from; the daemon reads the list.

    Raises:
        LabError: the extra layer is not a directory.
    """
    stack = [places.lab / "layer", *layers]
    if extra := os.environ.get(EXTRA_LAYER):
        if not Path(extra).is_dir():
            raise LabError(f"{EXTRA_LAYER}={extra} is not a directory")
        stack.insert(0, Path(extra).resolve())
    listed = places.layers(engine)
    listed.parent.mkdir(exist_ok=True)
    draft = listed.with_name(f"{engine}.new")
    draft.write_text("\n".join(map(str, stack)), encoding="utf-8")
    draft.rename(listed)


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
        cwd=cluster.REPOSITORY,
        env=places.environment(),
        start_new_session=True,
    )
    was_running = False
    deadline = time.monotonic() + _START_SECONDS
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
