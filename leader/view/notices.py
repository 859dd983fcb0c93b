"""What AWS announced about instances, and who waits to be told to leave. Values and merging.

Rule: both paths, the agent's and the queue's, end in one entry for each (instance, kind); what is
told twice, late or out of order changes nothing but an earlier deadline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

from leader.view.ids import InstanceId

Held = TypeVar("Held")

NoticeKind = Literal["interruption", "rebalance", "maintenance", "state"]
Source = Literal["agent", "queue"]
NOTICE: Final = timedelta(minutes=2)
"""What EC2 gives between an interruption notice and the interruption."""
_BETWEEN_QUESTIONS: Final = timedelta(seconds=10)
_KEPT: Final[Mapping[NoticeKind, timedelta]] = {
    "interruption": timedelta(minutes=2),
    "rebalance": timedelta(hours=24),
    "maintenance": timedelta(hours=24),
    "state": timedelta(),
}
"""How long after its deadline, or its telling, a notice stands."""

Pool = tuple[str, str]
"""Instance type and zone: what spot prices and interruptions go by."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One announcement: `deadline` is when AWS acts, `told` when AWS or the agent said so."""

    instance: InstanceId
    kind: NoticeKind
    source: Source
    told: datetime
    deadline: datetime | None = None
    action: str = ""
    """terminate, stop or hibernate; of maintenance its code; of a state the state."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An agent that waits on its reply list for a while."""

    reply: str
    key: str
    opened_by: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Market:
    """All that was announced and has not passed."""

    notices: Mapping[InstanceId, tuple[Notice, ...]] = field(default_factory=dict)
    listeners: Mapping[InstanceId, Listener] = field(default_factory=dict)
    receipts: Mapping[InstanceId, tuple[str, ...]] = field(default_factory=dict)
    """Messages of the queue whose work is not done yet."""
    left: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """Instances whose agents said farewell."""
    ordered: Mapping[InstanceId, tuple[datetime, datetime]] = field(default_factory=dict)
    """When an agent was first and last told that it may leave."""
    ending: Mapping[InstanceId, str] = field(default_factory=dict)
    """Instances whose nodes left in order and were removed, with why: now they end."""
    penalties: Mapping[Pool, datetime] = field(default_factory=dict)
    """Pools just interrupted, and until when they are avoided."""
    replacements: Mapping[InstanceId, datetime] = field(default_factory=dict)
    """For whom the fleet was asked for another, and when."""

    def notice(self, instance: InstanceId, kind: NoticeKind) -> Notice | None:
        """The standing notice of a kind."""
        return next((one for one in self.notices.get(instance, ()) if one.kind == kind), None)

    def hear(self, notice: Notice) -> "Market":
        """Merge one notice; of two deadlines the earlier counts."""
        held = self.notice(notice.instance, notice.kind)
        if held is not None:
            deadlines = [one.deadline for one in (held, notice) if one.deadline is not None]
            earliest = min(deadlines, default=None)
            if earliest == held.deadline:
                return self
            notice = replace(held, deadline=earliest, action=notice.action or held.action)
        others = tuple(
            one for one in self.notices.get(notice.instance, ()) if one.kind != notice.kind
        )
        return replace(self, notices={**self.notices, notice.instance: (*others, notice)})

    def penalise(self, pool: Pool, until: datetime) -> "Market":
        """Avoid a pool for a while."""
        return replace(self, penalties={**self.penalties, pool: until})

    def handled(self, receipts: tuple[str, ...]) -> "Market":
        """These messages are off the queue."""
        left = {
            instance: tuple(one for one in held if one not in receipts)
            for instance, held in self.receipts.items()
        }
        return replace(self, receipts={key: held for key, held in left.items() if held})

    def forget(self, instance: InstanceId) -> "Market":
        """An instance is no more, or is a member as any other again."""
        if not (
            instance in self.notices
            or instance in self.listeners
            or instance in self.receipts
            or instance in self.left
            or instance in self.ordered
            or instance in self.ending
            or instance in self.replacements
        ):
            return self

        return Market(
            notices=_without(self.notices, instance),
            listeners=_without(self.listeners, instance),
            receipts=_without(self.receipts, instance),
            left=_without(self.left, instance),
            ordered=_without(self.ordered, instance),
            ending=_without(self.ending, instance),
            penalties=self.penalties,
            replacements=_without(self.replacements, instance),
        )

    def at(self, now: datetime) -> "Market":
        """Without what is over: penalties, listeners, announcements AWS did not act on."""
        if (
            all(until > now for until in self.penalties.values())
            and all(now - one.until < _BETWEEN_QUESTIONS for one in self.listeners.values())
            and not any(_is_over(one, now) for held in self.notices.values() for one in held)
        ):
            return self
        standing = {
            instance: tuple(one for one in held if not _is_over(one, now))
            for instance, held in self.notices.items()
        }
        return replace(
            self,
            notices={instance: held for instance, held in standing.items() if held},
            penalties={pool: until for pool, until in self.penalties.items() if until > now},
            listeners={
                instance: one
                for instance, one in self.listeners.items()
                if now - one.until < _BETWEEN_QUESTIONS
            },
        )


def _is_over(notice: Notice, now: datetime) -> bool:
    return now - (notice.deadline or notice.told) > _KEPT[notice.kind]


def _without(held: Mapping[InstanceId, Held], instance: InstanceId) -> dict[InstanceId, Held]:
    return {key: value for key, value in held.items() if key != instance}
