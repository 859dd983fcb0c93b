"""Makes a decision that raises fail its test; in production, it is reported instead."""

import pytest


@pytest.fixture(autouse=True)
def decisions_raise(request, monkeypatch):
    """Raise what a decision raises, except in tests marked by `contains_decisions`."""
    if "contains_decisions" not in request.fixturenames:

        def fail(_about, error):
            raise error

        monkeypatch.setattr("leader.view.isolation.report", fail)


@pytest.fixture
def contains_decisions():
    """For tests of the containment itself."""
