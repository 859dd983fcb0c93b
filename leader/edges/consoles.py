"""Saves the console output of faulty instances before they are terminated.

Rule: console output contains everything printed during boot, so redact secrets before saving it.
"""

import os
import re
from pathlib import Path
from typing import Final

from leader.view.ids import InstanceId
from runtime.errors import RefusedError
from runtime.logs import scrub

DIRECTORY: Final = Path("/var/lib/spotswarm-leader/consoles")
_MOST_FILES: Final = 50
_NAME: Final = re.compile(r"i-[0-9a-f]{8,17}")


def save(instance: InstanceId, console: str, *, directory: Path = DIRECTORY) -> Path:
    """Save the console output in a file that only root can read; keep the newest fifty files.

    This function blocks while it writes to disk.

    Raises:
        RefusedError: if the instance id is invalid or the file cannot be written.
    """
    if _NAME.fullmatch(instance) is None:
        raise RefusedError("could not save console output: the instance id is invalid")
    path = directory / f"{instance}.txt"
    fresh = directory / f".{instance}.new"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(scrub(console))
        fresh.replace(path)
        files = sorted(directory.glob("i-*.txt"), key=lambda file: file.stat().st_mtime_ns)
        for old in files[:-_MOST_FILES]:
            old.unlink(missing_ok=True)
    except OSError as exc:
        raise RefusedError(
            f"could not save the console output of {instance}: {exc.strerror}"
        ) from exc
    return path
