"""What machines said on their consoles, also after they are gone.

Rule: EC2 keeps an instance's console for an hour after its end; the lab, until it goes down.
"""

import contextlib
from pathlib import Path
from typing import Final

_KEPT: Final = 64 * 1024
"""Bytes EC2 shows of a console: the most recent ones."""


def path(machines: Path, instance: str) -> Path:
    """Where a machine's console is written while there is a machine."""
    return machines / instance / "console.log"


def keep(machines: Path, instance: str) -> None:
    """Put the console aside, before the machine is taken away; quiet when there is none."""
    kept = _kept(machines, instance)
    kept.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path(machines, instance).rename(kept)


def tail(machines: Path, instance: str) -> bytes:
    """The end of a console as EC2 shows it; empty when nothing was ever said."""
    for at in (path(machines, instance), _kept(machines, instance)):
        with contextlib.suppress(FileNotFoundError):
            return at.read_bytes()[-_KEPT:]
    return b""


def _kept(machines: Path, instance: str) -> Path:
    return machines.parent / "consoles" / f"{instance}.log"
