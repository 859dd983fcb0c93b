import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runtime import clock

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROOT = Path(__file__).resolve().parents[3]
COMPARED_WITH_OTHERS = {
    "leader/edges/docker/changes.py",
    "leader/edges/docker/work.py",
    "leader/term/broker_service.py",
    "leader/term/perform.py",
    "leader/term/reception.py",
    "agent/edges/metadata.py",
    "agent/join_request.py",
    "agent/reports.py",
}
"""Modules that compare the date with others' dates, or write it into a message."""


class Machine:
    """A machine whose clock can be set."""

    def __init__(self, monkeypatch):
        self.passed, self.off = 0.0, timedelta()
        monkeypatch.setattr(clock, "now", lambda: NOW + self.off + timedelta(seconds=self.passed))
        monkeypatch.setattr(clock, "monotonic", lambda: 500.0 + self.passed)
        monkeypatch.setattr(clock, "_anchor", clock._Anchor())


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_until_the_clock_is_set_the_steady_time_is_the_date_and_time(machine):
    machine.passed = 90

    assert clock.steady() == clock.now() == NOW + timedelta(seconds=90)
    assert clock.step() == timedelta()


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_setting_the_clock_changes_the_step_and_not_the_steady_time(machine, off):
    machine.passed, machine.off = 10, off

    assert clock.steady() == NOW + timedelta(seconds=10)
    assert clock.step() == off


def test_what_is_too_little_for_a_step_is_none(machine):
    machine.off = timedelta(milliseconds=900)

    assert clock.step() == timedelta()


def test_a_new_anchor_begins_with_the_date_that_the_machine_has_by_then(machine, monkeypatch):
    machine.off = HOUR
    clock.anchor()

    assert clock.steady() == clock.now() == NOW + HOUR
    assert clock.step() == timedelta()


def test_without_anybody_setting_it_this_machines_clock_has_no_step():
    assert clock.step() == timedelta()
    assert abs(clock.steady() - clock.now()) < timedelta(seconds=1)


def readers(package):
    """The modules that read `clock.now`."""
    for path in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text())
        if any(
            isinstance(node, ast.Attribute)
            and node.attr == "now"
            and isinstance(node.value, ast.Name)
            and node.value.id == "clock"
            for node in ast.walk(tree)
        ):
            yield str(path.relative_to(ROOT))


def test_the_daemons_read_the_date_only_to_compare_it_with_others_dates():
    """Order and age come from `steady` or `monotonic`; a module that is added here says why."""
    assert {*readers("leader"), *readers("agent")} == COMPARED_WITH_OTHERS
