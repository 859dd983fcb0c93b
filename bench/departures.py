"""What one leaving cost, and the table of all. Pure.

Rule: the three ways are compared by what their users see: requests. Seconds to empty exist only for
a node that lives to be empty, seconds to gone only where somebody lets it go.
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
    """One worker's leaving; times in seconds after it began."""

    way: str
    number: int
    tasks: list[str]
    """Services with a task on the worker, one entry a task."""
    lone: list[str]
    """Those with one replica, which runs there."""
    replaced: float = math.nan
    """All services had all their tasks up on other workers."""
    empty: float = math.nan
    """No task was left on the worker."""
    down: float = math.nan
    gone: float = math.nan
    """Its entry was away and its machine off."""
    cut_off: int = 0
    """Tasks that still ran on it when it went."""
    ended: float = math.nan
    figures: dict[str, Any] = field(default_factory=dict)

    def count(self, report: Report, at: float, rate: float) -> None:
        """Take from the report what became of requests before and after `at`."""
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
            # Each request stands for the time until the next is due.
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
        """For the last line."""
        times = {name: _kept(getattr(self, name)) for name in ("replaced", "empty", "down", "gone")}
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
    """One entry a way, with ratios to the baseline."""
    base = _entry([one for one in departures if one.way == BASELINE])
    found = []
    for way in dict.fromkeys(one.way for one in departures):
        entry = _entry([one for one in departures if one.way == way])
        for name in ("lost_each", "replaced", "p99_ms", "empty"):
            if base and base[name] and entry[name] is not None:
                entry[f"{name}_to_{BASELINE}"] = round(entry[name] / base[name], 2)
        found.append({"way": way, **entry})
    return found


def _entry(own: Sequence[Departure]) -> dict[str, Any]:
    if not own:
        return {}
    lost = [one.figures["lost"] for one in own]
    outages = [ms for one in own for ms in one.figures["outage_ms"]]
    return {
        "departures": len(own),
        "tasks": sum(len(one.tasks) for one in own),
        "sent": sum(one.figures["sent"] for one in own),
        "lost": sum(lost),
        "lost_each": round(sum(lost) / len(own), 1),
        "lost_worst": max(lost),
        "outage_ms": round(median(outages)) if outages else None,
        "outage_ms_worst": max(outages, default=None),
        "p99_before_ms": _median([one.figures["p99_before_ms"] for one in own]),
        "p99_ms": _median([one.figures["p99_ms"] for one in own]),
        "replaced": _median([one.replaced for one in own]),
        "replaced_worst": _worst([one.replaced for one in own]),
        "empty": _median([one.empty for one in own]),
        "empty_worst": _worst([one.empty for one in own]),
        "down": _median([one.down for one in own]),
        "gone": _median([one.gone for one in own]),
        "gone_worst": _worst([one.gone for one in own]),
        "cut_off": sum(one.cut_off for one in own),
        "lag_p99_ms": max(one.figures["lag_p99_ms"] for one in own),
        "lag_most_ms": max(one.figures["lag_most_ms"] for one in own),
    }


def table(entries: Sequence[dict[str, Any]], ways: dict[str, str]) -> Table:
    """For a person; fits 100 columns."""
    made = Table(
        title="Workers leaving under load (medians; worst after the slash)",
        box=None,
        title_style="bold",
    )
    made.add_column("way", no_wrap=True)
    for head in (
        "n", "lost", "outage ms", "p99 ms", "replaced s", "empty s", "gone s", "cut",
        "lost to drain", "repl. to drain",
    ):  # fmt: skip
        made.add_column(head, justify="right")
    for one in entries:
        made.add_row(
            ways[one["way"]],
            str(one["departures"]),
            f"{one['lost']}/{one['lost_worst']}",
            f"{_said(one['outage_ms'], 0)}/{_said(one['outage_ms_worst'], 0)}",
            f"{_said(one['p99_before_ms'], 0)}→{_said(one['p99_ms'], 0)}",
            f"{_said(one['replaced'])}/{_said(one['replaced_worst'])}",
            f"{_said(one['empty'])}/{_said(one['empty_worst'])}" if one["empty"] else "-",
            f"{_said(one['gone'])}/{_said(one['gone_worst'])}" if one["gone"] else "-",
            str(one["cut_off"]),
            _said(one.get(f"lost_each_to_{BASELINE}"), 2),
            _said(one.get(f"replaced_to_{BASELINE}"), 2),
        )
    return made


def _said(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ms(seconds: float) -> float:
    return 0.0 if math.isnan(seconds) else round(1000 * seconds, 1)


def _kept(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds, 2)


def _median(values: Sequence[float]) -> float | None:
    known = [one for one in values if not math.isnan(one)]
    return round(median(known), 2) if known else None


def _worst(values: Sequence[float]) -> float | None:
    known = [one for one in values if not math.isnan(one)]
    return round(max(known), 2) if known else None
