"""Manages kernel settings and lab numbers for all labs on a host.

Rule: the first lab to start adjusts the kernel settings, and the last lab to stop restores them. A
lock prevents labs from doing this at the same time. The original values are saved in /run, so a
reboot discards them together with the adjusted settings.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.host import LabError
from lab.places import Places

SETTINGS: Final = {
    "net.ipv4.ip_forward": 1,
    # Each systemd and each engine needs several; the default of 128 is enough for ten machines.
    "fs.inotify.max_user_instances": 8192,
    # All machines' overlay networks share the host's neighbour table.
    "net.ipv4.neigh.default.gc_thresh3": 16384,
}
_RUN: Final = Path("/run/spotswarm-lab")
_SYSCTL: Final = Path("/proc/sys")


def claim(places: Places, *, run: Path = _RUN, sysctl: Path = _SYSCTL) -> None:
    """Claim the lab's number, and adjust the kernel settings if necessary.

    Raises:
        LabError: if another lab uses the same number.
    """
    with _alone(run):
        run.mkdir(exist_ok=True)
        refuse_clash(places, run=run)
        _claim_of(places, run).write_text(places.name, encoding="ascii")
        # A container may lack some of these settings; the lab also works without them.
        known = {name: file for name in SETTINGS if (file := _file(sysctl, name)).exists()}
        before = {name: int(file.read_text(encoding="ascii")) for name, file in known.items()}
        if not _saved(run).exists():
            _saved(run).write_text(json.dumps(before), encoding="ascii")
        for name, value in before.items():
            if value < SETTINGS[name]:
                known[name].write_text(str(SETTINGS[name]), encoding="ascii")


def release(places: Places, *, run: Path = _RUN, sysctl: Path = _SYSCTL) -> None:
    """Release the lab's number; if no other lab is left, also restore the kernel settings."""
    with _alone(run):
        if not run.exists():
            return
        if owner(places, run=run) == places.name:
            _claim_of(places, run).unlink()
        if any(run.glob("number-*")):
            return
        if _saved(run).exists():
            for name, value in json.loads(_saved(run).read_text(encoding="ascii")).items():
                _file(sysctl, name).write_text(str(value), encoding="ascii")
            _saved(run).unlink()
        run.rmdir()


def owner(places: Places, *, run: Path = _RUN) -> str | None:
    """Return the name of the lab that uses this lab's number, or None if the number is free."""
    claimed = _claim_of(places, run)
    return claimed.read_text(encoding="ascii") if claimed.exists() else None


def names(*, run: Path = _RUN) -> list[str]:
    """Return the names of all labs on this host, including those left behind by a crash."""
    with _alone(run):
        return sorted(claimed.read_text(encoding="ascii") for claimed in run.glob("number-*"))


def refuse_clash(places: Places, *, run: Path = _RUN) -> None:
    """Check that no other lab uses this lab's number.

    Raises:
        LabError: if another lab uses the same number.
    """
    name = owner(places, run=run)
    if name not in {None, places.name}:
        raise LabError(
            f"the labs {places.name} and {name} would both use {places.network}: "
            "choose another name"
        )


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    # Lock the parent directory, because a separate lock file could never be removed safely.
    parent = os.open(run.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)
        yield
    finally:
        os.close(parent)


def _claim_of(places: Places, run: Path) -> Path:
    return run / f"number-{places.number}"


def _saved(run: Path) -> Path:
    return run / "sysctls.json"


def _file(sysctl: Path, name: str) -> Path:
    return sysctl / name.replace(".", "/")
