"""The daemon's record of each machine, which the lab's commands read.

Rule: only the daemon writes; it replaces a whole file, so that a reader never sees half of one.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_FILE: Final = "machine.json"


class Stage(StrEnum):
    """How far a machine has got."""

    LAUNCHED = "launched"
    """EC2 reports the instance as running; the machine waits for its boot."""
    BOOTED = "booted"
    """Its init runs."""
    ENGINE = "engine"
    """Its engine answers."""
    STOPPED = "stopped"
    """Shut down in order; the disk remains."""
    DEAD = "dead"
    """Without power; EC2 does not know."""


RUNNING: Final = frozenset({Stage.BOOTED, Stage.ENGINE})


@dataclass(frozen=True, slots=True)
class Record:
    """The current state of one machine."""

    instance: str
    address: str
    hostname: str
    role: str = ""
    """From its tag `spotswarm:role`."""
    stage: Stage = Stage.LAUNCHED
    init: int | None = None
    """Process id of its init on the host, while the machine runs."""
    cgroups: tuple[str, ...] = ()
    engine: str = ""
    """The version of its engine, once it has answered."""

    def write(self, machines: Path) -> None:
        """Replace the machine's record."""
        directory = machines / self.instance
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"{_FILE}.new"
        draft.write_text(json.dumps(asdict(self)), encoding="ascii")
        draft.rename(directory / _FILE)


def read(machines: Path, instance: str) -> Record | None:
    """The record of one machine; None when there is no such machine."""
    try:
        text = (machines / instance / _FILE).read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
    fields = json.loads(text)
    fields["stage"] = Stage(fields["stage"])
    fields["cgroups"] = tuple(fields["cgroups"])
    return Record(**fields)


def read_all(machines: Path) -> list[Record]:
    """The records of all machines, by instance id."""
    if not machines.is_dir():
        return []
    records = (read(machines, at.name) for at in sorted(machines.iterdir()))
    return [record for record in records if record is not None]
