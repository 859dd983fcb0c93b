"""AWS notices about instances, and the agents that are waiting for permission to leave.

Rule: the same notice can come from both the agent and the queue. Keep one notice for each instance
and kind. A repeated, late or reordered notice can make the deadline earlier, but never later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

from leader.view.ids import InstanceId

_Value = TypeVar("_Value")

NoticeKind = Literal["interruption", "rebalance", "maintenance", "state"]
Source = Literal["agent", "queue"]
NOTICE: Final = timedelta(minutes=2)
"""The time between an EC2 interruption notice and the interruption."""
_BETWEEN_REQUESTS: Final = timedelta(seconds=10)
"""How long an agent may take to send another request after its previous wait has ended."""
_LIFETIMES: Final[Mapping[NoticeKind, timedelta]] = {
    "interruption": timedelta(minutes=2),
    "rebalance": timedelta(hours=24),
    "maintenance": timedelta(hours=24),
    "state": timedelta(),
}
"""How long a notice is kept after its deadline or, without a deadline, its announcement."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An AWS notice about an instance; `deadline` is the time when AWS will act."""

    instance: InstanceId
    kind: NoticeKind
    source: Source
    announced_at: datetime
    deadline: datetime | None = None
    action: str = ""
    """The action (terminate, stop or hibernate), the maintenance code, or the new state."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An agent that is waiting for permission to leave. It stops waiting at `until`."""

    reply: str
    key: str
    opened_by: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Notices:
    """The valid notices, and how the agents and the leader have responded to them."""

    standing: Mapping[InstanceId, tuple[Notice, ...]] = field(default_factory=dict)
    listeners: Mapping[InstanceId, Listener] = field(default_factory=dict)
    receipts: Mapping[InstanceId, tuple[str, ...]] = field(default_factory=dict)
    """The receipts of messages to delete from the queue once they have been handled."""
    departed: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """Instances whose agents reported that the node had left the swarm, and when."""
    ordered: Mapping[InstanceId, tuple[datetime, datetime]] = field(default_factory=dict)
    """The first and the latest time when the leader told each agent to leave."""
    to_terminate: Mapping[InstanceId, str] = field(default_factory=dict)
    """Instances to terminate because their nodes have been removed, and the reasons."""
    replacements: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """When the leader requested a replacement for each instance."""

    def of(self, instance: InstanceId, kind: NoticeKind) -> Notice | None:
        """Return an instance's notice of this kind, or None if there is none."""
        return next(
            (notice for notice in self.standing.get(instance, ()) if notice.kind == kind), None
        )

    def merge(self, notice: Notice) -> "Notices":
        """Return a copy that includes this notice.

        If the instance already has a notice of this kind, the earlier deadline applies.
        """
        known = self.of(notice.instance, notice.kind)
        if known is not None:
            deadlines = [each.deadline for each in (known, notice) if each.deadline is not None]
            earliest = min(deadlines, default=None)
            if earliest == known.deadline:
                return self
            notice = replace(known, deadline=earliest, action=notice.action or known.action)
        others = tuple(
            other for other in self.standing.get(notice.instance, ()) if other.kind != notice.kind
        )
        return replace(self, standing={**self.standing, notice.instance: (*others, notice)})

    def deleted(self, deleted: tuple[str, ...]) -> "Notices":
        """Return a copy without the receipts of deleted messages."""
        remaining = {
            instance: tuple(receipt for receipt in receipts if receipt not in deleted)
            for instance, receipts in self.receipts.items()
        }
        return replace(
            self, receipts={key: receipts for key, receipts in remaining.items() if receipts}
        )

    def without(self, instance: InstanceId) -> "Notices":
        """Return a copy without any information about this instance.

        Call this method when the instance is gone or its node is an ordinary node again.
        """
        if not (
            instance in self.standing
            or instance in self.listeners
            or instance in self.receipts
            or instance in self.departed
            or instance in self.ordered
            or instance in self.to_terminate
            or instance in self.replacements
        ):
            return self
        return Notices(
            standing=_without(self.standing, instance),
            listeners=_without(self.listeners, instance),
            receipts=_without(self.receipts, instance),
            departed=_without(self.departed, instance),
            ordered=_without(self.ordered, instance),
            to_terminate=_without(self.to_terminate, instance),
            replacements=_without(self.replacements, instance),
        )

    def current(self, now: datetime) -> "Notices":
        """Return a copy without expired notices and without agents that are no longer waiting."""
        if all(_is_waiting(listener, now) for listener in self.listeners.values()) and not any(
            _is_expired(notice, now) for notices in self.standing.values() for notice in notices
        ):
            return self
        valid = {
            instance: tuple(notice for notice in notices if not _is_expired(notice, now))
            for instance, notices in self.standing.items()
        }
        return replace(
            self,
            standing={instance: notices for instance, notices in valid.items() if notices},
            listeners={
                instance: listener
                for instance, listener in self.listeners.items()
                if _is_waiting(listener, now)
            },
        )


def _is_expired(notice: Notice, now: datetime) -> bool:
    return now - (notice.deadline or notice.announced_at) > _LIFETIMES[notice.kind]


def _is_waiting(listener: Listener, now: datetime) -> bool:
    return now - listener.until < _BETWEEN_REQUESTS


def _without(
    mapping: Mapping[InstanceId, _Value], instance: InstanceId
) -> dict[InstanceId, _Value]:
    return {key: value for key, value in mapping.items() if key != instance}
