"""Report where a test run spent its time: the slowest tests, and each layer's total.

A layer's total is the sum of its tests' set-up, call and tear-down times on all workers. Its span
is the wall time from the start of the first test to the end of the last test.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import pytest

_SLOWEST: Final = 10
_GROUP: Final = re.compile(r"@[\w-]+$")
"""The suffix that xdist adds to the name of a test in a group."""
_WORTH_TELLING_SECONDS: Final = 20.0
"""Runs that are shorter than this print no report."""


@dataclass
class Time:
    """The time that one test or one layer took, in seconds."""

    seconds: float = 0.0
    set_up: float = 0.0
    tests: set[str] = field(default_factory=set)
    started: float = float("inf")
    ended: float = 0.0

    def add(self, report: pytest.TestReport) -> None:
        self.seconds += report.duration
        if report.when == "setup":
            self.set_up += report.duration
        self.tests.add(report.nodeid)
        self.started = min(self.started, report.start)
        self.ended = max(self.ended, report.stop)


class Timings:
    """The pytest plugin. With xdist, the main process receives the reports of all workers."""

    def __init__(self) -> None:
        self.tests: dict[str, Time] = {}
        self.layers: dict[str, Time] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.tests.setdefault(report.nodeid, Time()).add(report)
        self.layers.setdefault(layer_of(report.nodeid), Time()).add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if sum(time.seconds for time in self.layers.values()) < _WORTH_TELLING_SECONDS:
            return
        terminalreporter.section("where the time went")
        for line in summary(self.tests, self.layers):
            terminalreporter.write_line(line)


def layer_of(nodeid: str) -> str:
    """Return a test's layer, which is its folder below `tests`: `unit`, `contract` or `lab`."""
    parts = PurePosixPath(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else "other"


def summary(tests: dict[str, Time], layers: dict[str, Time]) -> Iterable[str]:
    """Yield the lines of the report."""
    for nodeid, time in sorted(tests.items(), key=lambda known: -known[1].seconds)[:_SLOWEST]:
        name = _GROUP.sub("", nodeid)
        yield f"{time.seconds:7.1f} s  {time.set_up:6.1f} s of it set-up  {name}"
    for layer, time in sorted(layers.items(), key=lambda known: -known[1].seconds):
        yield (
            f"{time.seconds:7.1f} s in {len(time.tests)} {layer} tests,"
            f" over {time.ended - time.started:.1f} s of wall time"
        )
