"""Locks on names that test processes share on a host; each ends with the process that has it."""

import fcntl
from typing import IO, Final

_held: Final[list[IO[str]]] = []


def take(name: str) -> bool:
    """Lock a name until this process ends; return False if it is locked, also by this process."""
    lock = open(f"/tmp/{name}.lock", "w")  # noqa: PTH123, SIM115  kept open until the end
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    _held.append(lock)
    return True
