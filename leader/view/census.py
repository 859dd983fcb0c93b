"""Who was heard, who is missing, since when: what removals are weighed by.

Rule: counting only; `reconcile` decides. All of it is lost with the leader, and so every
leader starts with patience.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from leader.view.ids import InstanceId, NodeId


@dataclass(frozen=True, slots=True)
class Absence:
    """For how many lists in a row, and since when, EC2 has not called an instance running."""

    looks: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Census:
    """Counts since this leader began."""

    begun: datetime | None = None
    heard: frozenset[NodeId] = frozenset()
    """Nodes that were Ready at least once."""
    down: Mapping[NodeId, datetime] = field(default_factory=dict)
    missing: Mapping[InstanceId, Absence] = field(default_factory=dict)
    apart: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """Instances that run and are no Ready node, and since when."""
    removed: tuple[datetime, ...] = ()
    """Removals lately."""
    refused: datetime | None = None
    """When a refusal was last said aloud."""

    def see_nodes(
        self, *, ready: Collection[NodeId], down: Iterable[NodeId], at: datetime
    ) -> "Census":
        """Note one list of nodes."""
        return replace(
            self,
            begun=self.begun or at,
            heard=self.heard.union(ready),
            down={node: self.down.get(node, at) for node in down},
        )

    def see_instances(
        self, *, missing: Iterable[InstanceId], apart: Iterable[InstanceId], at: datetime
    ) -> "Census":
        """Note one list of instances: which bound ones do not run, which running ones are apart."""
        return replace(
            self,
            missing={
                instance: Absence(held.looks + 1, held.since)
                if (held := self.missing.get(instance))
                else Absence(1, at)
                for instance in missing
            },
            apart={instance: self.apart.get(instance, at) for instance in apart},
        )

    def remove(self, at: datetime, within: timedelta) -> "Census":
        """Count one removal; older ones than a round are forgotten."""
        return replace(self, removed=(*(when for when in self.removed if at - when < within), at))
