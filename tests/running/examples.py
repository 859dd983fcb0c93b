"""Count the inputs that the property tests tried, so that the figures of `make fuzz` are honest.

Rule: count only inputs that reached the property: not those that Hypothesis generated and a
property's assumptions rejected, and not the fixed ones (`@example`). A fault is a property that
failed.
"""

import re
from typing import Final

import pytest

_PROPERTY: Final = "property inputs"
_TRIED: Final = re.compile(r"(\d+) passing, (\d+) failing, and \d+ invalid")
_WORTH_TELLING_SECONDS: Final = 20.0
"""Ordinary runs that are shorter than this print no figures."""


class Examples:
    """The pytest plugin. With xdist, each worker counts, and the main process adds up."""

    def __init__(self, *, is_fuzz: bool = False) -> None:
        self.inputs: dict[str, int] = {}
        self.seconds = 0.0
        self.faults: list[str] = []
        self._is_fuzz = is_fuzz
        self._started = float("inf")
        self._ended = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Write the number into the report, which the main process receives."""
        if call.when == "call" and item.get_closest_marker("hypothesis") is not None:
            item.user_properties.append(
                (_PROPERTY, tried(getattr(item, "hypothesis_statistics", "")))
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        count = dict(report.user_properties).get(_PROPERTY)
        if report.when != "call" or count is None:
            return
        self.inputs[report.nodeid] = self.inputs.get(report.nodeid, 0) + int(str(count))
        self.seconds += report.duration
        self._started = min(self._started, report.start)
        self._ended = max(self._ended, report.stop)
        if report.failed:
            self.faults.append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.inputs or not (self._is_fuzz or self.seconds >= _WORTH_TELLING_SECONDS):
            return
        terminalreporter.section("fuzzing" if self._is_fuzz else "property tests")
        for line in self.figures():
            terminalreporter.write_line(line)

    def figures(self) -> list[str]:
        """Return the lines of the report."""
        hours, wall = self.seconds / 3600, (self._ended - self._started) / 3600
        total = (
            f"{sum(self.inputs.values()):,} inputs in {len(self.inputs)} properties,"
            f" {hours:.2f} h of test time in {wall:.2f} h, {len(self.faults)} faults"
        )
        return [total, *(f"fault: {nodeid}" for nodeid in sorted(self.faults))]


def tried(statistics: str) -> int:
    """Return how many inputs reached a property, from Hypothesis's statistics for one test."""
    return sum(int(passed) + int(failed) for passed, failed in _TRIED.findall(statistics))
