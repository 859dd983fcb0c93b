"""The daemon's records of the machines, which the lab's commands read.

Rule: only the daemon writes records, and it writes them atomically, so readers never see a partial
record.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_FILE: Final = "machine.json"


class Stage(StrEnum):
    """A stage in the life of a machine."""

    LAUNCHED = "launched"
    """EC2 reports the instance as running, but the machine has not booted yet."""
    BOOTED = "booted"
    """The machine's init is running."""
    ENGINE = "engine"
    """The machine's engine responds."""
    STOPPED = "stopped"
    """The machine was shut down cleanly; its disk still exists."""
    DEAD = "dead"
    """The machine has no power, and EC2 has not noticed."""


RUNNING: Final = frozenset({Stage.BOOTED, Stage.ENGINE})


@dataclass(frozen=True, slots=True)
class Record:
    """The current state of a machine."""

    instance: str
    address: str
    hostname: str
    role: str = ""
    """The value of the instance's tag `spotswarm:role`."""
    stage: Stage = Stage.LAUNCHED
    init: int | None = None
    """The process id, on the host, of the machine's init while the machine is running."""
    cgroups: tuple[str, ...] = ()
    engine: str = ""
    """The engine's version; empty until the engine has responded."""

    def write(self, machines: Path) -> None:
        """Write the record, replacing any earlier record of the machine."""
        directory = machines / self.instance
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"{_FILE}.new"
        draft.write_text(json.dumps(asdict(self)), encoding="ascii")
        draft.rename(directory / _FILE)


def read(machines: Path, instance: str) -> Record | None:
    """Return a machine's record, or None if there is no such machine."""
    try:
        text = (machines / instance / _FILE).read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
    fields = json.loads(text)
    fields["stage"] = Stage(fields["stage"])
    fields["cgroups"] = tuple(fields["cgroups"])
    return Record(**fields)


def read_all(machines: Path) -> list[Record]:
    """Return the records of all machines, ordered by instance id."""
    if not machines.is_dir():
        return []
    records = (read(machines, at.name) for at in sorted(machines.iterdir()))
    return [record for record in records if record is not None]
