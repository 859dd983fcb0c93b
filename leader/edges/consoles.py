"""Console texts of instances that were ended because they did not work, for whoever asks why.

Rule: a console shows what a boot printed, so secrets are hidden before anything is written.
"""

import os
import re
from pathlib import Path
from typing import Final

from leader.view.ids import InstanceId
from runtime.errors import RefusedError
from runtime.logs import scrub

DIRECTORY: Final = Path("/var/lib/spotswarm-leader/consoles")
_KEPT: Final = 50
_NAME: Final = re.compile(r"i-[0-9a-f]{8,17}")


def keep(instance: InstanceId, console: str, *, directory: Path = DIRECTORY) -> Path:
    """Write an instance's console down, readable by root alone; the oldest beyond fifty go.

    It blocks on the disk. Raises RefusedError when it cannot be written.
    """
    if _NAME.fullmatch(instance) is None:
        raise RefusedError("keeping a console: that is no instance's name")
    path = directory / f"{instance}.txt"
    fresh = directory / f".{instance}.new"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(scrub(console))
        fresh.replace(path)
        kept = sorted(directory.glob("i-*.txt"), key=lambda one: one.stat().st_mtime_ns)
        for old in kept[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as exc:
        raise RefusedError(f"keeping the console of {instance}: {exc.strerror}") from exc
    return path
