"""Determine what happens to each task on a node that is being drained.

Rule: results depend only on observations, so a command can keep following a drain after another
manager becomes the leader.

Swarm stops a start-first task only after its replacement is up. Therefore, a start-first task that
disappears before time runs out counts as moved. A task that is still waiting for its replacement
when time runs out counts as not moved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Row = Mapping[str, Any]
_PATIENCE: Final = 6
"""Number of updates without a row after which a node that is in the swarm counts as returned."""
_MANNERS: Final = {
    "moved": "start-first",
    "stranded": "start-first",
    "waits": "start-first",
    "drained": "stop-first",
    "runs-on": "never",
}


@dataclass
class Outcome:
    """The result of a drain.

    The lists contain task names, except for `without_health_check`, which contains service names.
    """

    state: Literal["under way", "drained", "left", "returned"] = "under way"
    moved: list[str] = field(default_factory=list)
    stopped_first: list[str] = field(default_factory=list)
    """Tasks that Swarm's drain stopped, because their services are stop-first."""
    ended: list[str] = field(default_factory=list)
    not_moved: list[str] = field(default_factory=list)
    """Tasks that should have been moved but stopped before their replacements were up."""
    cut_off: list[str] = field(default_factory=list)
    """Tasks that were still running when time ran out."""
    still_running: list[str] = field(default_factory=list)
    """Tasks of jobs that run on, because Swarm's drain does not stop jobs."""
    without_health_check: list[str] = field(default_factory=list)
    """Names of services whose moved tasks count as up as soon as the process starts."""

    @property
    def is_clean(self) -> bool:
        """Whether the drain finished before any task ran out of time."""
        return self.state in {"drained", "left"} and not (self.not_moved or self.cut_off)


class DrainProgress:
    """The progress of one node's drain."""

    def __init__(self, plan: Row) -> None:
        self.node = str(plan["node"])
        self.outcome = Outcome(
            without_health_check=sorted(
                {
                    task["service"]
                    for task in plan["tasks"]
                    if task["fate"] in {"moved", "stranded"} and not task["has_health_check"]
                }
            )
        )
        # Start with the tasks in the plan, because a task may leave before the first update.
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
        self._empty_looks = 0

    @property
    def is_over(self) -> bool:
        """Whether the drain has ended, successfully or not."""
        return self.outcome.state != "under way"

    @property
    def total(self) -> int:
        """The number of tasks seen on the node."""
        return len(self._last)

    @property
    def gone(self) -> int:
        """The number of tasks that have left the node or are stopping."""
        return len(self._gone)

    def update(self, row: Row | None, *, is_member: bool = True) -> list[str]:
        """Process the leader's latest report on the node, and return a sentence for each change.

        `row` is None if the leader does not list the node as leaving. `is_member` is false if the
        node has left the swarm.
        """
        if row is None:
            return list(self._without_row(is_member))
        self._empty_looks = _PATIENCE
        if not row["tasks_known"]:
            return []
        if row["stage"] in {"returning", "hinted"}:
            self.outcome.state = "returned"
            return []
        news = list(self._changes(row))
        if row["stage"] == "drained":
            self.outcome.state = "drained"
            running_on = [task for task in row["tasks"] if _runs_on(task)]
            self.outcome.still_running += [task["name"] for task in running_on]
            news += self._cut_off([task for task in row["tasks"] if task not in running_on])
        return news

    def as_json(self) -> dict[str, Any]:
        """Return the outcome in the format that `--json` prints."""
        return asdict(self.outcome)

    def _without_row(self, is_member: bool) -> Iterator[str]:
        if not is_member:
            self.outcome.state = "left"
            remaining = [task for name, task in self._last.items() if name not in self._gone]
            yield from self._cut_off([task for task in remaining if not task["replaced"]])
            self.outcome.moved += [task["name"] for task in remaining if task["replaced"]]
            return
        self._empty_looks += 1
        if self._empty_looks > _PATIENCE:
            self.outcome.state = "returned"

    def _changes(self, row: Row) -> Iterator[str]:
        now: dict[str, Row] = {}
        for task in row["tasks"]:
            if task["name"] not in now or task["is_wanted"]:
                now[task["name"]] = task
        for name, before in self._last.items():
            task = now.get(name)
            if name not in self._gone and (task is None or not task["is_wanted"]):
                self._gone.add(name)
                yield self._left(name, before, row, is_replaced=(task or before)["replaced"])
        for name, task in now.items():
            if name not in self._last and not task["is_wanted"]:
                self._gone.add(name)
            self._last[name] = task

    def _left(self, name: str, before: Row, row: Row, *, is_replaced: bool) -> str:
        is_late = row["stage"] != "evacuating" and not row["drain_in"]
        match before["manner"]:
            case "start-first" if is_replaced or not is_late:
                self.outcome.moved.append(name)
                return f"{name} was moved"
            case "start-first":
                self.outcome.not_moved.append(name)
                return f"{name} was stopped before its replacement was up, because time ran out"
            case "never" if row["stage"] != "evacuating" and not row["leave_in"]:
                self.outcome.cut_off.append(name)
                return f"{name} was cut off because time ran out"
            case "never":
                self.outcome.ended.append(name)
                return f"{name} finished"
        self.outcome.stopped_first.append(name)
        return f"{name} was stopped by Swarm's drain"

    def _cut_off(self, tasks: Sequence[Row]) -> Iterator[str]:
        for task in tasks:
            if task["name"] not in self.outcome.cut_off:
                self.outcome.cut_off.append(task["name"])
                yield f"{task['name']} was cut off while it was still running"


def _runs_on(task: Row) -> bool:
    """Whether a task on a drained node is a job's, which Swarm does not stop there."""
    return bool(task.get("is_job") and task["is_wanted"])
