"""The console output of machines, also after their end.

Rule: EC2 keeps an instance's console for an hour after its end; the lab keeps it until `down`.
"""

import contextlib
from pathlib import Path
from typing import Final

_SHOWN_BYTES: Final = 64 * 1024
"""Number of bytes that EC2 shows of a console: the latest ones."""


def path(machines: Path, instance: str) -> Path:
    """The file of a machine's console while the machine exists."""
    return machines / instance / "console.log"


def keep(machines: Path, instance: str) -> None:
    """Move the console away before the machine is destroyed; does nothing if there is none."""
    archived = _archived(machines, instance)
    archived.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path(machines, instance).rename(archived)


def tail(machines: Path, instance: str) -> bytes:
    """The end of a console as EC2 shows it; empty when there was no output."""
    for at in (path(machines, instance), _archived(machines, instance)):
        with contextlib.suppress(FileNotFoundError):
            return at.read_bytes()[-_SHOWN_BYTES:]
    return b""


def _archived(machines: Path, instance: str) -> Path:
    return machines.parent / "consoles" / f"{instance}.log"
