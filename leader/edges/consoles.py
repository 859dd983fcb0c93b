"""Saves the console output of instances that were terminated because they did not work.

Rule: a console shows everything that a boot printed, so hide secrets before writing.
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
    """Write the console output to a file that only root can read; keep the newest fifty files.

    Blocks on the disk. Raises RefusedError if the file cannot be written.
    """
    if _NAME.fullmatch(instance) is None:
        raise RefusedError("saving console output: this is not an instance id")
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
        raise RefusedError(f"saving the console output of {instance}: {exc.strerror}") from exc
    return path
