"""Compute the medians and ratios, and create the table and the JSON output.

Rule: the JSON output contains every sample of every round, and only this module computes medians.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from rich.table import Table

BASELINE: Final = "raw"
_DIGITS: Final = 4
"""Decimal places for values in seconds."""


@dataclass(frozen=True, slots=True)
class Round:
    """The results of one round with one method. Times are in seconds since the command started."""

    way: str
    machines: int
    number: int
    ready: list[float]
    serving: list[float] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)
    retries: int = 0
    coarsest: float = 0.0

    def json(self) -> dict[str, Any]:
        """Return the round in the format of the JSON output."""
        return {
            "way": self.way,
            "machines": self.machines,
            "round": self.number,
            "ready": _rounded(self.ready),
            "serving": _rounded(self.serving),
            "stages": [
                {name: round(seconds, _DIGITS) for name, seconds in reached.items()}
                for reached in self.stages
            ],
            "retries": self.retries,
            "coarsest": round(self.coarsest, _DIGITS),
        }


def summary(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return the medians for each number of machines and each method.

    Include the ratios of the main medians to the baseline.
    """
    entries = []
    for machines in sorted({round_.machines for round_ in rounds}):
        same_size = [round_ for round_ in rounds if round_.machines == machines]
        base = _medians([round_ for round_ in same_size if round_.way == BASELINE])
        for way in dict.fromkeys(round_.way for round_ in same_size):
            own = [round_ for round_ in same_size if round_.way == way]
            figures = _medians(own)
            ratios = {
                f"{name}_to_{BASELINE}": round(figures[name] / base[name], 2)
                for name in ("ready", "last")
                if base
            }
            over = {f"ready_over_{BASELINE}": round(figures["ready"] - base["ready"], _DIGITS)}
            entry = {"machines": machines, "way": way, "rounds": len(own), **figures, **ratios}
            entries.append({**entry, **(over if base else {}), **_stages(own)})
    return sorted(entries, key=lambda entry: (entry["machines"], entry["ready"]))


def _medians(rounds: Sequence[Round]) -> dict[str, float]:
    if not rounds:
        return {}
    figures = {
        "ready": median(seconds for round_ in rounds for seconds in round_.ready),
        "ready_least": min(seconds for round_ in rounds for seconds in round_.ready),
        "ready_most": max(seconds for round_ in rounds for seconds in round_.ready),
        "last": median(max(round_.ready) for round_ in rounds),
    }
    if serving := [seconds for round_ in rounds for seconds in round_.serving]:
        figures["serving"] = median(serving)
        figures["serving_last"] = median(max(round_.serving) for round_ in rounds)
    return {name: round(seconds, _DIGITS) for name, seconds in figures.items()}


def _stages(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the median duration of each stage, measured from the end of the previous stage."""
    took: dict[str, list[float]] = {}
    for reached in (stages for round_ in rounds for stages in round_.stages):
        before = 0.0
        for name, at in reached.items():
            took.setdefault(name, []).append(at - before)
            before = at
    if not took:
        return {}
    return {"stages": {name: round(median(times), _DIGITS) for name, times in took.items()}}


def table(entries: Sequence[Mapping[str, Any]], ways: Mapping[str, str]) -> Table:
    """Return a table of the medians in seconds, at most 100 columns wide."""
    figures_table = Table(
        title="Seconds from the command to Ready (medians)", box=None, title_style="bold"
    )
    figures_table.add_column("machines", justify="right")
    figures_table.add_column("way")
    for head in ("Ready", "least", "most", "last node", "serving", "/ raw", "last / raw"):
        figures_table.add_column(head, justify="right")
    before = 0
    for entry in entries:
        if before and entry["machines"] != before:
            figures_table.add_section()
            figures_table.add_row()
        before = entry["machines"]
        figures_table.add_row(
            str(entry["machines"]),
            ways[entry["way"]],
            *(f"{entry[name]:.2f}" for name in ("ready", "ready_least", "ready_most", "last")),
            f"{entry['serving']:.2f}" if "serving" in entry else "-",
            *(
                f"{entry[name]:.1f}" if name in entry else "-"
                for name in ("ready_to_raw", "last_to_raw")
            ),
        )
    return figures_table


def _rounded(seconds: Sequence[float]) -> list[float]:
    return [round(value, _DIGITS) for value in sorted(seconds)]
