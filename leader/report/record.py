"""What was asked, decided and done, lately: what `spotswarm joins` and `explain` print.

Bounded and in memory only; the journal has everything for longer. Rule: it holds what the
log holds, so no secret ever.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leader.view.actions import (
    Action,
    DenyJoin,
    DrainNode,
    GrantJoin,
    OrderLeave,
    SettleNode,
    TerminateInstance,
)

_JOINS_KEPT: Final = 500
_DECISIONS_KEPT: Final = 2000


@dataclass(slots=True)
class Join:
    """One request and its answer; `instance` is empty until its identity is proven."""

    at: datetime
    instance: str
    role: str
    answer: str
    code: str
    reason: str


@dataclass(slots=True)
class Decision:
    """One action: why, by which event, and what came of it."""

    at: datetime
    action: str
    subject: str
    instance: str
    reason: str
    cause: str
    outcome: str = "under way"
    tasks: tuple[str, ...] = ()
    """Tasks it leaves behind: not moved in time, or cut off."""


class Record:
    """Two bounded lists, newest last, and the counts since this daemon took over."""

    def __init__(self) -> None:
        self.joins: deque[Join] = deque(maxlen=_JOINS_KEPT)
        self.decisions: deque[Decision] = deque(maxlen=_DECISIONS_KEPT)
        self._open: dict[tuple[str, str], Decision] = {}

    def decided(self, action: Action, at: datetime) -> None:
        """Note an action the moment it is decided."""
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
            at, type(action).__name__, action.subject, instance or "", action.reason, action.cause
        )
        match action:
            case DrainNode(left=tasks):
                decision.tasks = tasks
            case (
                OrderLeave(cut_off=tasks)
                | SettleNode(cut_off=tasks)
                | TerminateInstance(cut_off=tasks)
            ):
                decision.tasks = tasks
        self.decisions.append(decision)
        self._open[(action.subject, action.cause)] = decision

    def unopened(self, at: datetime, reason: str) -> None:
        """Note a request that could not be opened: there is nobody to answer."""
        self.joins.append(Join(at, "", "", "dropped", "unopenable", reason))

    def ended(self, action: Action, outcome: str) -> None:
        """Note what came of a decided action."""
        decision = self._open.pop((action.subject, action.cause), None)
        if decision is not None:
            decision.outcome = outcome

    def about(self, *names: str) -> list[Decision]:
        """The decisions on any of these nodes or instances, oldest first."""
        wanted = {name for name in names if name}
        return [
            decision
            for decision in self.decisions
            if decision.instance in wanted or decision.subject.partition(" ")[2] in wanted
        ]
