"""Tracks which nodes are Ready or Down and which instances are missing.

Rule: do not decide on removals here; `leader.upkeep.reconcile` does that. The census is lost when
the leader changes, so a new leader waits again before it removes anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from leader.view.ids import InstanceId, NodeId


@dataclass(frozen=True, slots=True)
class Absence:
    """A missing instance: how many lists in a row have omitted it, and since when."""

    lists: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Census:
    """What this leader has observed since it became the leader."""

    begun: datetime | None = None
    seen_ready: frozenset[NodeId] = frozenset()
    """The nodes that have been Ready at least once."""
    down: Mapping[NodeId, datetime] = field(default_factory=dict)
    missing: Mapping[InstanceId, Absence] = field(default_factory=dict)
    apart: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """The instances that run without a Ready node, and since when."""
    removed: tuple[datetime, ...] = ()
    """The times of recent removals."""
    refused: datetime | None = None
    """When the last refusal was logged."""

    def see_nodes(
        self, *, ready: Collection[NodeId], down: Iterable[NodeId], at: datetime
    ) -> "Census":
        """Return a copy updated with a new list of nodes."""
        return replace(
            self,
            begun=self.begun or at,
            seen_ready=self.seen_ready.union(ready),
            down={node: self.down.get(node, at) for node in down},
        )

    def see_instances(
        self, *, missing: Iterable[InstanceId], apart: Iterable[InstanceId], at: datetime
    ) -> "Census":
        """Return a copy updated with a new list of instances."""
        return replace(
            self,
            missing={instance: self._absence(instance, at) for instance in missing},
            apart={instance: self.apart.get(instance, at) for instance in apart},
        )

    def _absence(self, instance: InstanceId, at: datetime) -> Absence:
        before = self.missing.get(instance)
        return Absence(1, at) if before is None else Absence(before.lists + 1, before.since)

    def remove(self, at: datetime, within: timedelta) -> "Census":
        """Return a copy with one more removal and without removals older than `within`."""
        return replace(self, removed=(*(when for when in self.removed if at - when < within), at))
