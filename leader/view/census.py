"""Tracks which nodes are Ready or Down, and which instances are missing, apart or ended.

Rule: do not decide on removals here; `leader.upkeep.reconcile` does that. The census is lost when
the leader changes, so a new leader waits again before it removes anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from leader.view.ids import InstanceId, NodeId

_Name = TypeVar("_Name", NodeId, InstanceId)


@dataclass(frozen=True, slots=True)
class Streak:
    """How many lists in a row have shown a state, and since when."""

    lists: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Census:
    """What this leader has observed since it became the leader."""

    begun: datetime | None = None
    seen_ready: frozenset[NodeId] = frozenset()
    """The nodes that have been Ready at least once."""
    down: Mapping[NodeId, Streak] = field(default_factory=dict)
    missing: Mapping[InstanceId, Streak] = field(default_factory=dict)
    """The instances of nodes that EC2 does not list as running."""
    apart: Mapping[InstanceId, Streak] = field(default_factory=dict)
    """The instances that run without a Ready node."""
    ended: frozenset[InstanceId] = frozenset()
    """The instances of nodes that EC2 itself has called terminated or shutting down.

    Such an instance never runs again. EC2 stops listing it after about an hour, so it is remembered
    for as long as its node exists.
    """
    removed: tuple[datetime, ...] = ()
    """The times of recent removals."""

    def see_nodes(
        self, *, ready: Collection[NodeId], down: Iterable[NodeId], at: datetime
    ) -> "Census":
        """Return a copy updated with a new list of nodes."""
        return replace(
            self,
            begun=self.begun or at,
            seen_ready=self.seen_ready.union(ready),
            down=_continued(self.down, down, at),
        )

    def see_instances(
        self,
        *,
        missing: Iterable[InstanceId],
        apart: Iterable[InstanceId],
        ended: Collection[InstanceId],
        at: datetime,
    ) -> "Census":
        """Return a copy updated with a new list of instances."""
        return replace(
            self,
            missing=_continued(self.missing, missing, at),
            apart=_continued(self.apart, apart, at),
            ended=frozenset(ended),
        )

    def remove(self, at: datetime, within: timedelta) -> "Census":
        """Return a copy with one more removal and without removals older than `within`."""
        return replace(self, removed=(*(when for when in self.removed if at - when < within), at))


def _continued(
    before: Mapping[_Name, Streak], names: Iterable[_Name], at: datetime
) -> dict[_Name, Streak]:
    streaks = ((name, before.get(name, Streak(0, at))) for name in names)
    return {name: replace(streak, lists=streak.lists + 1) for name, streak in streaks}
