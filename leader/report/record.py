"""Records recent join requests, decisions and outcomes for reports to the operator.

The record is kept only in memory and has a limited size. The systemd journal keeps the same
information for longer. Rule: like the log, the record never contains a secret.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leader.view.actions import Action, ChangeService, DenyJoin, GrantJoin, tasks_left_behind
from leader.view.ids import NodeId

_MOST_JOINS: Final = 500
_MOST_DECISIONS: Final = 2000


@dataclass(slots=True)
class Join:
    """A join request and its response; `instance` is empty if the identity was not proven."""

    at: datetime
    instance: str
    role: str
    answer: str
    code: str
    reason: str


@dataclass(slots=True)
class Decision:
    """An action with its reason, cause and outcome."""

    at: datetime
    action: str
    subject: str
    instance: str
    reason: str
    cause: str
    outcome: str = "under way"
    tasks: tuple[str, ...] = ()
    """The tasks that were not moved in time, or were killed before they finished."""
    nodes: tuple[NodeId, ...] = ()
    """The nodes that caused this action, if the action changes a service."""


class Record:
    """The latest requests and decisions since this daemon became the leader, newest last."""

    def __init__(self) -> None:
        self.joins: deque[Join] = deque(maxlen=_MOST_JOINS)
        self.decisions: deque[Decision] = deque(maxlen=_MOST_DECISIONS)
        self._open: dict[tuple[str, str], Decision] = {}

    def decided(self, action: Action, at: datetime) -> None:
        """Record an action that the leader has decided on."""
        instance: str | None = None
        match action:
            case GrantJoin(asker=asker, reason=reason):
                instance = asker.instance
                self.joins.append(
                    Join(at, str(asker.instance or ""), asker.role, "granted", "", reason)
                )
            case DenyJoin(asker=asker, denied=denied):
                instance = asker.instance
                self.joins.append(
                    Join(
                        at,
                        str(asker.instance or ""),
                        asker.role,
                        "denied",
                        denied.code,
                        denied.reason,
                    )
                )
            case _:
                instance = getattr(action, "instance", None)
        decision = Decision(
            at,
            type(action).__name__,
            action.subject,
            instance or "",
            action.reason,
            action.cause,
            tasks=tasks_left_behind(action),
            nodes=action.nodes if isinstance(action, ChangeService) else (),
        )
        self.decisions.append(decision)
        self._open[(action.subject, action.cause)] = decision

    def unopened(self, at: datetime, reason: str) -> None:
        """Record a request that cannot be answered because it could not be decrypted."""
        self.joins.append(Join(at, "", "", "dropped", "unopenable", reason))

    def ended(self, action: Action, outcome: str) -> None:
        """Record the outcome of an action."""
        decision = self._open.pop((action.subject, action.cause), None)
        if decision is not None:
            decision.outcome = outcome

    def about(self, *names: str) -> list[Decision]:
        """Return the decisions about these nodes, instances or services, oldest first."""
        wanted = {name for name in names if name}
        return [
            decision
            for decision in self.decisions
            if decision.instance in wanted or decision.subject.partition(" ")[2] in wanted
        ]

    def because_of(self, nodes: Collection[str]) -> list[Decision]:
        """Return the service changes that these nodes caused, oldest first."""
        return [
            decision for decision in self.decisions if not set(nodes).isdisjoint(decision.nodes)
        ]
