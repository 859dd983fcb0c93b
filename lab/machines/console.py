"""Keeps each machine's console output, even after the machine has been destroyed.

Rule: keep the console output of an instance after the instance is terminated, as EC2 does. EC2
keeps the output for an hour; the lab keeps it until `down` is run.
"""

import contextlib
from pathlib import Path
from typing import Final

_SHOWN_BYTES: Final = 64 * 1024
"""EC2 shows only this many bytes from the end of the console output."""


def path(machines: Path, instance: str) -> Path:
    """Return the path of a machine's console output file; the machine must still exist."""
    return machines / instance / "console.log"


def keep(machines: Path, instance: str) -> None:
    """Archive a machine's console output, if any, before the machine is destroyed."""
    archived = _archived(machines, instance)
    archived.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path(machines, instance).rename(archived)


def tail(machines: Path, instance: str) -> bytes:
    """Return at most the last 64 KiB of the console output, as EC2 does."""
    for at in (path(machines, instance), _archived(machines, instance)):
        with contextlib.suppress(FileNotFoundError):
            return at.read_bytes()[-_SHOWN_BYTES:]
    return b""


def _archived(machines: Path, instance: str) -> Path:
    return machines.parent / "consoles" / f"{instance}.log"
