"""From samples to medians, ratios, a table and a line of JSON.

Rule: every sample of every round stays in the JSON; medians are made here and nowhere else.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.table import Table

BASELINE: Final = "raw"
_KEPT: Final = 4
"""Digits after the point, in seconds."""


@dataclass(frozen=True, slots=True)
class Round:
    """One way, once; seconds after the command, a figure for each machine."""

    way: str
    machines: int
    number: int
    ready: list[float]
    serving: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    retries: int = 0
    coarsest: float = 0.0

    def json(self) -> dict[str, Any]:
        """For the last line."""
        return {
            "way": self.way,
            "machines": self.machines,
            "round": self.number,
            "ready": _rounded(self.ready),
            "serving": _rounded(self.serving),
            "stages": [{name: round(at, _KEPT) for name, at in one.items()} for one in self.stages],
            "retries": self.retries,
            "coarsest": round(self.coarsest, _KEPT),
        }


def summary(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """One entry for each number of machines and way, with ratios to the baseline."""
    found = []
    for machines in sorted({one.machines for one in rounds}):
        here = [one for one in rounds if one.machines == machines]
        base = _medians([one for one in here if one.way == BASELINE])
        for way in dict.fromkeys(one.way for one in here):
            own = [one for one in here if one.way == way]
            figures = _medians(own)
            ratios = {
                f"{name}_to_{BASELINE}": round(figures[name] / base[name], 2)
                for name in ("ready", "last")
                if base
            }
            over = {f"ready_over_{BASELINE}": round(figures["ready"] - base["ready"], _KEPT)}
            entry = {"machines": machines, "way": way, "rounds": len(own), **figures, **ratios}
            found.append({**entry, **(over if base else {}), **_stages(own)})
    return sorted(found, key=lambda one: (one["machines"], one["ready"]))


def _medians(rounds: Sequence[Round]) -> dict[str, float]:
    if not rounds:
        return {}
    found = {
        "ready": median(at for one in rounds for at in one.ready),
        "ready_least": min(at for one in rounds for at in one.ready),
        "ready_most": max(at for one in rounds for at in one.ready),
        "last": median(max(one.ready) for one in rounds),
    }
    if serving := [at for one in rounds for at in one.serving]:
        found["serving"] = median(serving)
        found["serving_last"] = median(max(one.serving) for one in rounds)
    return {name: round(at, _KEPT) for name, at in found.items()}


def _stages(rounds: Sequence[Round]) -> dict[str, Any]:
    """How long each stage took at the median: the time since the stage before it."""
    took: dict[str, list[float]] = {}
    for reached in (stages for one in rounds for stages in one.stages):
        before = 0.0
        for name, at in reached.items():
            took.setdefault(name, []).append(at - before)
            before = at
    return (
        {"stages": {name: round(median(all_), _KEPT) for name, all_ in took.items()}}
        if (took)
        else {}
    )


def table(entries: Sequence[Mapping[str, Any]], ways: Mapping[str, str]) -> Table:
    """Medians in seconds, for a person; fits 100 columns."""
    made = Table(title="From the command to Ready: seconds, medians", box=None, title_style="bold")
    made.add_column("machines", justify="right")
    made.add_column("way")
    for head in ("Ready", "least", "most", "last node", "serving", "/ raw", "last / raw"):
        made.add_column(head, justify="right")
    before = 0
    for one in entries:
        if before and one["machines"] != before:
            made.add_section()
            made.add_row()
        before = one["machines"]
        made.add_row(
            str(one["machines"]),
            ways[one["way"]],
            *(f"{one[name]:.2f}" for name in ("ready", "ready_least", "ready_most", "last")),
            f"{one['serving']:.2f}" if "serving" in one else "-",
            *(
                f"{one[name]:.1f}" if name in one else "-"
                for name in ("ready_to_raw", "last_to_raw")
            ),
        )
    return made


def host() -> dict[str, Any]:
    """The machine under the lab."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu,
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
        "load": [round(one, 2) for one in os.getloadavg()],
    }


def _rounded(seconds: Sequence[float]) -> list[float]:
    return [round(one, _KEPT) for one in sorted(seconds)]
