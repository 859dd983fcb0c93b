"""Starts the lab's other processes: the registry, the news wires, the window to the site.

Rule: the first argument of each process is the lab's directory, by which `lab.sweep` finds and ends
it. A process is not a child of the command that starts it, because it outlives that command.
"""

import subprocess
import sys
from typing import Final

from lab import sweep
from lab.cluster import REPOSITORY
from lab.places import Places

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
