"""Compute the figures for one departure, and create the table of all departures, without I/O.

Rule: use lost requests, which users notice, to compare the three ways of removing a worker. The
`empty` figure exists only if the node keeps running until it is empty. The `gone` figure exists
only if the node is removed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from rich.table import Table

from lab.load.fates import Report

BASELINE: Final = "drain"


@dataclass(slots=True)
class Departure:
    """The record of one worker's departure. Times are in seconds since the departure began."""

    way: str
    number: int
    tasks: list[str]
    """The service of each task on the worker."""
    lone: list[str]
    """The services among them that have a single replica."""
    replaced: float = math.nan
    """When all services had all their tasks up on other workers."""
    empty: float = math.nan
    """When no task was left on the worker."""
    down: float = math.nan
    gone: float = math.nan
    """When the worker's node had been removed and its machine was off."""
    cut_off: int = 0
    """Number of tasks that were still running when the worker stopped."""
    ended: float = math.nan
    figures: dict[str, Any] = field(default_factory=dict)

    def count(self, report: Report, at: float, rate: float) -> None:
        """Compute the figures from the requests that were sent before and after `at`."""
        before = report.between(report.began + 1, at)
        after = report.between(at, report.ended + 1)
        by_service: dict[str, dict[str, Any]] = {
            host.partition(".")[0]: {
                "lost": part.lost,
                "kinds": {kind: loss.count for kind, loss in part.losses.items()},
                "from": round(min(loss.first for loss in part.losses.values()) - at, 2),
                "to": round(max(loss.last for loss in part.losses.values()) - at, 2),
            }
            for host in after.hosts
            if (part := after.of(host)).lost
        }
        self.figures = {
            "sent": after.sent,
            "lost": after.lost,
            "lost_before": before.lost,
            "kinds": {kind: loss.count for kind, loss in after.losses.items()},
            "by_service": by_service,
            # Each lost request counts as an outage until the next request is due.
            "outage_ms": [
                round(1000 * by_service.get(name, {"lost": 0})["lost"] / rate) for name in self.lone
            ],
            "p99_before_ms": _ms(before.latency(0.99)),
            "p99_ms": _ms(after.latency(0.99)),
            "slowest_ms": _ms(after.latency(1)),
            "lag_p99_ms": _ms(after.lag(0.99)),
            "lag_most_ms": _ms(after.lag()),
        }

    def json(self) -> dict[str, Any]:
        """Return the departure in the format of the JSON output."""
        times = {
            name: _seconds(getattr(self, name)) for name in ("replaced", "empty", "down", "gone")
        }
        return {
            "way": self.way,
            "number": self.number,
            "tasks": self.tasks,
            "lone": self.lone,
            "cut_off": self.cut_off,
            **times,
            **self.figures,
        }


def summary(departures: Sequence[Departure]) -> list[dict[str, Any]]:
    """Return the summarized figures for each way of removing a worker.

    Include the ratios of the main figures to the baseline.
    """
    base = _entry([departure for departure in departures if departure.way == BASELINE])
    entries = []
    for way in dict.fromkeys(departure.way for departure in departures):
        entry = _entry([departure for departure in departures if departure.way == way])
        for name in ("lost_each", "replaced", "p99_ms", "empty"):
            if base and base[name] and entry[name] is not None:
                entry[f"{name}_to_{BASELINE}"] = round(entry[name] / base[name], 2)
        entries.append({"way": way, **entry})
    return entries


def _entry(own: Sequence[Departure]) -> dict[str, Any]:
    if not own:
        return {}
    lost = [departure.figures["lost"] for departure in own]
    outages = [ms for departure in own for ms in departure.figures["outage_ms"]]
    return {
        "departures": len(own),
        "tasks": sum(len(departure.tasks) for departure in own),
        "sent": sum(departure.figures["sent"] for departure in own),
        "lost": sum(lost),
        "lost_each": round(sum(lost) / len(own), 1),
        "lost_worst": max(lost),
        "outage_ms": round(median(outages)) if outages else None,
        "outage_ms_worst": max(outages, default=None),
        "p99_before_ms": _median([departure.figures["p99_before_ms"] for departure in own]),
        "p99_ms": _median([departure.figures["p99_ms"] for departure in own]),
        "replaced": _median([departure.replaced for departure in own]),
        "replaced_worst": _worst([departure.replaced for departure in own]),
        "empty": _median([departure.empty for departure in own]),
        "empty_worst": _worst([departure.empty for departure in own]),
        "down": _median([departure.down for departure in own]),
        "gone": _median([departure.gone for departure in own]),
        "gone_worst": _worst([departure.gone for departure in own]),
        "cut_off": sum(departure.cut_off for departure in own),
        "lag_p99_ms": max(departure.figures["lag_p99_ms"] for departure in own),
        "lag_most_ms": max(departure.figures["lag_most_ms"] for departure in own),
    }


def table(entries: Sequence[dict[str, Any]], ways: dict[str, str]) -> Table:
    """Return the summary as a table that is at most 100 columns wide."""
    figures_table = Table(
        title="Workers leaving under load (median/worst)",
        box=None,
        title_style="bold",
    )
    figures_table.add_column("way", no_wrap=True)
    for head in (
        "n", "lost", "outage ms", "p99 ms", "replaced s", "empty s", "gone s", "cut",
        "lost to drain", "repl. to drain",
    ):  # fmt: skip
        figures_table.add_column(head, justify="right")
    for entry in entries:
        figures_table.add_row(
            ways[entry["way"]],
            str(entry["departures"]),
            f"{entry['lost']}/{entry['lost_worst']}",
            f"{_number(entry['outage_ms'], 0)}/{_number(entry['outage_ms_worst'], 0)}",
            f"{_number(entry['p99_before_ms'], 0)}→{_number(entry['p99_ms'], 0)}",
            f"{_number(entry['replaced'])}/{_number(entry['replaced_worst'])}",
            f"{_number(entry['empty'])}/{_number(entry['empty_worst'])}" if entry["empty"] else "-",
            f"{_number(entry['gone'])}/{_number(entry['gone_worst'])}" if entry["gone"] else "-",
            str(entry["cut_off"]),
            _number(entry.get(f"lost_each_to_{BASELINE}"), 2),
            _number(entry.get(f"replaced_to_{BASELINE}"), 2),
        )
    return figures_table


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ms(seconds: float) -> float:
    return 0.0 if math.isnan(seconds) else round(1000 * seconds, 1)


def _seconds(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds, 2)


def _median(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return round(median(known), 2) if known else None


def _worst(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return round(max(known), 2) if known else None
