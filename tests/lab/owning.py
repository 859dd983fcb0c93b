"""A test process owns the names of its labs: it removes what a killed run left under them."""

from typing import Final

import locks
import pytest

from lab import sweep
from lab.places import NAME_VARIABLE, Places

_owned: Final[set[str]] = set()


def own(name: str) -> Places:
    """Take down what a killed run left under this name; other runs fail while this process lives.

    Without the lock, two runs on one host would take down each other's labs.
    """
    places = Places.here(name)
    if name not in _owned:
        if not locks.take(f"spotswarm-tests-{name}"):
            pytest.fail(
                f"another test run uses the lab {name}: set {NAME_VARIABLE} to another name"
            )
        _owned.add(name)
    assert sweep.sweep(places) == []
    return places
