"""What became of each task of a node, by looking at it again and again. Pure.

Rule: it holds no more than was seen, so it goes on after another manager took over. A task that
was seen no more while the node was being emptied has been moved: Swarm stops it last. What was
still waiting when the time was up was not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Row = Mapping[str, Any]
_PATIENCE: Final = 6
"""Looks without a row before a node that is still there counts as taken back."""
_MANNERS: Final = {
    "moved": "start-first",
    "waits": "start-first",
    "drained": "stop-first",
    "runs-on": "never",
}


@dataclass
class Outcome:
    """How it ended; the lists have tasks by name."""

    state: Literal["under way", "drained", "left", "returned"] = "under way"
    moved: list[str] = field(default_factory=list)
    stopped_first: list[str] = field(default_factory=list)
    """Stopped by Swarm's drain, as their services are to be."""
    ended: list[str] = field(default_factory=list)
    not_moved: list[str] = field(default_factory=list)
    """Were to be moved, and were stopped before another was up."""
    cut_off: list[str] = field(default_factory=list)
    """Still ran when the time was up."""
    without_health_check: list[str] = field(default_factory=list)
    """Services whose moved tasks count as up when their process starts."""

    @property
    def is_clean(self) -> bool:
        """Whether the node was emptied, and nothing was lost on the way."""
        return self.state in {"drained", "left"} and not (self.not_moved or self.cut_off)


class Following:
    """One node on its way out."""

    def __init__(self, plan: Row) -> None:
        self.node = str(plan["node"])
        self.outcome = Outcome(
            without_health_check=sorted(
                {
                    task["service"]
                    for task in plan["tasks"]
                    if task["fate"] == "moved" and not task["has_health_check"]
                }
            )
        )
        # What goes before the first look was there when the plan was made.
        self._last: dict[str, Row] = {
            task["name"]: {
                "name": task["name"],
                "manner": _MANNERS[task["fate"]],
                "is_wanted": True,
                "replaced": False,
            }
            for task in plan["tasks"]
            if task["fate"] in _MANNERS
        }
        self._gone: set[str] = set()
        self._looks = 0

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to follow."""
        return self.outcome.state != "under way"

    @property
    def total(self) -> int:
        """How many tasks were seen on it."""
        return len(self._last)

    @property
    def gone(self) -> int:
        """How many of them are off it, or told to stop."""
        return len(self._gone)

    def saw(self, row: Row | None, *, is_member: bool = True) -> list[str]:
        """Take one look: its row of `leaving` and whether it is a node still; tells the news."""
        if row is None:
            return list(self._vanished(is_member))
        self._looks = _PATIENCE
        if not row["tasks_known"]:
            return []
        if row["stage"] in {"returning", "hinted"}:
            self.outcome.state = "returned"
            return []
        news = list(self._compared(row))
        if row["stage"] == "drained":
            self.outcome.state = "drained"
            news += self._cut(row["tasks"])
        return news

    def told(self) -> dict[str, Any]:
        """The outcome as JSON prints it."""
        return asdict(self.outcome)

    def _vanished(self, is_member: bool) -> Iterator[str]:
        if not is_member:
            self.outcome.state = "left"
            held = [task for name, task in self._last.items() if name not in self._gone]
            yield from self._cut([task for task in held if not task["replaced"]])
            self.outcome.moved += [task["name"] for task in held if task["replaced"]]
            return
        self._looks += 1
        if self._looks > _PATIENCE:
            self.outcome.state = "returned"

    def _compared(self, row: Row) -> Iterator[str]:
        now: dict[str, Row] = {}
        for task in row["tasks"]:
            if task["name"] not in now or task["is_wanted"]:
                now[task["name"]] = task
        for name, before in self._last.items():
            task = now.get(name)
            if name not in self._gone and (task is None or not task["is_wanted"]):
                self._gone.add(name)
                yield self._went(name, before, row, is_replaced=(task or before)["replaced"])
        for name, task in now.items():
            if name not in self._last and not task["is_wanted"]:
                self._gone.add(name)
            self._last[name] = task

    def _went(self, name: str, before: Row, row: Row, *, is_replaced: bool) -> str:
        is_late = row["stage"] != "evacuating" and not row["drain_in"]
        match before["manner"]:
            case "start-first" if is_replaced or not is_late:
                self.outcome.moved.append(name)
                return f"{name} moved"
            case "start-first":
                self.outcome.not_moved.append(name)
                return f"{name} stopped before another was up: the time was over"
            case "never" if row["stage"] != "evacuating" and not row["leave_in"]:
                self.outcome.cut_off.append(name)
                return f"{name} cut off: the time was over"
            case "never":
                self.outcome.ended.append(name)
                return f"{name} ended"
        self.outcome.stopped_first.append(name)
        return f"{name} stopped by Swarm's drain"

    def _cut(self, tasks: Sequence[Row]) -> Iterator[str]:
        for task in tasks:
            if task["name"] not in self.outcome.cut_off:
                self.outcome.cut_off.append(task["name"])
                yield f"{task['name']} cut off: it still ran"
