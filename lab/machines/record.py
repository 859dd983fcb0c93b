"""What the daemon writes down about each machine, for everybody else to read.

Rule: only the daemon writes; a file is replaced whole, so that a reader never sees half of one.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_FILE: Final = "machine.json"


class Stage(StrEnum):
    """How far a machine has come."""

    LAUNCHED = "launched"
    """EC2 says it runs; it waits for its turn to boot."""
    BOOTED = "booted"
    """Its init runs."""
    ENGINE = "engine"
    """Its engine answers."""
    STOPPED = "stopped"
    """Shut down in order; its disk is kept."""
    DEAD = "dead"
    """Its power was cut; EC2 does not know."""


RUNNING: Final = frozenset({Stage.BOOTED, Stage.ENGINE})


@dataclass(frozen=True, slots=True)
class Record:
    """One machine as it is now."""

    instance: str
    address: str
    hostname: str
    role: str = ""
    """By its tag `spotswarm:role`."""
    stage: Stage = Stage.LAUNCHED
    init: int | None = None
    """Process id of its init, as the host sees it; while it runs."""
    cgroups: tuple[str, ...] = ()
    engine: str = ""
    """The version of its engine, once it has answered."""

    def write(self, machines: Path) -> None:
        """Replace what is written down about it."""
        directory = machines / self.instance
        directory.mkdir(parents=True, exist_ok=True)
        draft = directory / f"{_FILE}.new"
        draft.write_text(json.dumps(asdict(self)), encoding="ascii")
        draft.rename(directory / _FILE)


def read(machines: Path, instance: str) -> Record | None:
    """What is written down about one machine; None when there is no such machine."""
    try:
        text = (machines / instance / _FILE).read_text(encoding="ascii")
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = json.loads(text)
    found["stage"] = Stage(found["stage"])
    found["cgroups"] = tuple(found["cgroups"])
    return Record(**found)


def read_all(machines: Path) -> list[Record]:
    """All machines there are, by instance id."""
    if not machines.is_dir():
        return []
    found = (read(machines, at.name) for at in sorted(machines.iterdir()))
    return [record for record in found if record is not None]
