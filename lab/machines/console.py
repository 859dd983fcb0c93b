"""Keeps the console output of machines, even after a machine has been destroyed.

Rule: EC2 keeps an instance's console output for an hour after the instance is terminated; the lab
keeps the output until `down`.
"""

import contextlib
from pathlib import Path
from typing import Final

_SHOWN_BYTES: Final = 64 * 1024
"""EC2 shows only this many bytes from the end of the console output."""


def path(machines: Path, instance: str) -> Path:
    """Return the file with a machine's console output, while the machine exists."""
    return machines / instance / "console.log"


def keep(machines: Path, instance: str) -> None:
    """Archive the console file, if any, before the machine is destroyed."""
    archived = _archived(machines, instance)
    archived.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path(machines, instance).rename(archived)


def tail(machines: Path, instance: str) -> bytes:
    """Return the end of the console output, as EC2 shows it; empty if there was no output."""
    for at in (path(machines, instance), _archived(machines, instance)):
        with contextlib.suppress(FileNotFoundError):
            return at.read_bytes()[-_SHOWN_BYTES:]
    return b""


def _archived(machines: Path, instance: str) -> Path:
    return machines.parent / "consoles" / f"{instance}.log"
