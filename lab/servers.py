"""Processes of the lab beside its daemon: the registry, the news wires, the window to the site.

Rule: one is started with the lab's directory as its first argument, by which `lab.sweep` finds and
ends it; and as nobody's child, for whoever starts it may end long before.
"""

import subprocess
import sys
from typing import Final

from lab import sweep
from lab.cluster import REPOSITORY
from lab.places import Places

_DETACHED: Final = 'exec </dev/null >>"$1" 2>&1; shift; "$@" & exit 0'


def start(places: Places, module: str, *arguments: str) -> None:
    """Start `python -m module` for the lab that is up, unless it runs; its log is beside."""
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
