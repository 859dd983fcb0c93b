"""Computes the figures and ratios, and creates the tables.

Rule: the JSON output contains every figure that a table shows, and the ratios use the floor of the
same run.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.table import Table

BASELINE: Final = "floor"


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm: how many agents, who answered them, and how long each took."""

    way: str
    agents: int
    seconds: tuple[float, ...]
    """For each agent that got a reply, sorted."""
    attempts: int
    problems: dict[str, int]
    """The last problem of each agent that got no reply, and how many had it."""
    leader_cpu_seconds: float
    leader_rss_mb: float

    def figures(self) -> dict[str, Any]:
        """Return what is compared between the ways."""
        last = self.seconds[-1] if self.seconds else 0.0
        return {
            "way": self.way,
            "agents": self.agents,
            "served": len(self.seconds),
            "per_second": round(len(self.seconds) / last, 1) if last else 0.0,
            "p50": round(_percentile(self.seconds, 50), 3),
            "p99": round(_percentile(self.seconds, 99), 3),
            "last": round(last, 3),
            "attempts": self.attempts,
            "leader_cpu_seconds": round(self.leader_cpu_seconds, 2),
            "leader_rss_mb": round(self.leader_rss_mb, 1),
            "problems": self.problems,
        }


@dataclass(frozen=True, slots=True)
class Flood:
    """What an honest join and an honest notice took while somebody flooded the broker."""

    junk_per_second: float
    joins: tuple[float | None, ...]
    """Seconds from the first request to the grant; None if there was none in time."""
    notices: tuple[float | None, ...]
    """Seconds from the report until the leader paused the node."""
    is_shown: bool
    """Whether `status` said that the broker was flooded."""
    leader_cpu_share: float
    leader_rss_mb: float

    def figures(self) -> dict[str, Any]:
        """Return the medians and the worst, and all samples."""
        return {
            **asdict(self),
            "join_median": _median(self.joins),
            "join_worst": _worst(self.joins),
            "notice_median": _median(self.notices),
            "notice_worst": _worst(self.notices),
        }


def _percentile(values: Sequence[float], share: int) -> float:
    return values[min(len(values) - 1, len(values) * share // 100)] if values else 0.0


def _median(values: Sequence[float | None]) -> float | None:
    served = [value for value in values if value is not None]
    return round(median(served), 3) if served else None


def _worst(values: Sequence[float | None]) -> float | None:
    served = [value for value in values if value is not None]
    return round(max(served), 3) if served and len(served) == len(values) else None


def compared(storms: Sequence[Storm]) -> list[dict[str, Any]]:
    """Return each storm's figures, with ratios to the floor with as many agents."""
    floors = {storm.agents: storm.figures() for storm in storms if storm.way == BASELINE}
    entries = []
    for storm in storms:
        figures, floor = storm.figures(), floors[storm.agents]
        ratios = {
            f"{name}_to_{BASELINE}": round(figures[name] / floor[name], 2)
            for name in ("per_second", "p50", "p99", "last")
            if floor[name]
        }
        entries.append(figures | ratios)
    return entries


def storm_table(entries: Sequence[dict[str, Any]]) -> Table:
    """Return the table of the storms, at most 100 columns wide."""
    table = Table(title="Agents that ask at once", box=None, title_style="bold")
    table.add_column("agents", justify="right")
    table.add_column("way")
    heads = ("served", "per s", "/ floor", "p50 s", "p99 s", "/ floor", "last s", "CPU s", "RSS MB")
    for head in heads:
        table.add_column(head, justify="right")
    for entry in entries:
        table.add_row(
            f"{entry['agents']:,}",
            entry["way"],
            f"{entry['served']:,}",
            f"{entry['per_second']:.0f}",
            f"{entry.get('per_second_to_floor', 0):.2f}",
            f"{entry['p50']:.2f}",
            f"{entry['p99']:.2f}",
            f"{entry.get('p99_to_floor', 0):.2f}",
            f"{entry['last']:.2f}",
            f"{entry['leader_cpu_seconds']:.1f}",
            f"{entry['leader_rss_mb']:.0f}",
        )
    return table


def flood_table(flood: Flood) -> Table:
    """Return the table of the flood."""
    figures = flood.figures()
    table = Table(title="During a flood", box=None, title_style="bold")
    for head in ("junk per s", "what", "samples", "median s", "worst s", "shown", "leader's CPU"):
        table.add_column(head, justify="right")
    for name, samples in (("join", flood.joins), ("notice", flood.notices)):
        table.add_row(
            f"{flood.junk_per_second:,.0f}",
            name,
            str(len(samples)),
            _shown(figures[f"{name}_median"]),
            _shown(figures[f"{name}_worst"]),
            "yes" if flood.is_shown else "no",
            f"{flood.leader_cpu_share:.0%}",
        )
    return table


def _shown(seconds: float | None) -> str:
    return "not served" if seconds is None else f"{seconds:.2f}"
