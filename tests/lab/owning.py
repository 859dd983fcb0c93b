"""A test process owns the names of its labs: it removes what a killed run left under them."""

import fcntl
from pathlib import Path
from typing import IO, Final

import pytest

from lab import sweep
from lab.places import NAME_VARIABLE, Places

_locks: Final[dict[str, IO[str]]] = {}


def own(name: str) -> Places:
    """Take down what a killed run left under this name; other runs fail while this process lives.

    Without the lock, two runs on one host would take down each other's labs.
    """
    places = Places.here(name)
    if name not in _locks:
        lock = Path(f"/tmp/spotswarm-tests-{name}.lock").open("w")  # noqa: SIM115  held until the end
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            pytest.fail(
                f"another test run uses the lab {name}: set {NAME_VARIABLE} to another name"
            )
        _locks[name] = lock
    assert sweep.sweep(places) == []
    return places
