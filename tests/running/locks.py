"""Locks on names that test processes share on a host; each ends with the process that has it."""

import fcntl
import os


def take(name: str) -> bool:
    """Lock a name until this process ends; return False if it is locked, also by this process."""
    lock = os.open(f"/tmp/{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    # The file stays open on purpose: closing it would end the lock.
    return True
