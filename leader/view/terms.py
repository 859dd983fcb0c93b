"""How a node leaves: the reason, the start time, the deadline, and what happens next.

Rule: this information is stored in the node's labels, where the next leader can read it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from leader.view.model import Node, Policy, View
from wire.labels import (
    LABEL_DEADLINE,
    LABEL_PHASE,
    LABEL_SINCE,
    LABEL_THEN,
    LABEL_WHY,
    LEAVING,
    read_time,
    time_text,
)


class Then(StrEnum):
    """What happens to a node after it has been drained."""

    TERMINATE = "terminate"
    STAY = "stay"
    """The operator drained the node, which stays in the swarm without tasks."""
    AWS = "aws"
    """AWS stops or hibernates the instance, which may come back."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """How a node leaves, as recorded in its labels.

    All times come from the clock of the leader that wrote the labels.
    """

    why: str
    since: datetime
    deadline: datetime
    then: Then

    def labels(self) -> dict[str, str]:
        """Return this information as node labels."""
        return {
            LABEL_PHASE: LEAVING,
            LABEL_WHY: self.why,
            LABEL_SINCE: time_text(self.since),
            LABEL_DEADLINE: time_text(self.deadline),
            LABEL_THEN: self.then.value,
        }


def leaving_of(node: Node) -> Leaving:
    """Return the details of a node's departure, as recorded in its labels.

    If the labels are damaged, the deadline is treated as past, and the node stays in the swarm.
    """
    then = node.labels.get(LABEL_THEN, "")
    return Leaving(
        why=node.labels.get(LABEL_WHY, "unknown"),
        since=read_time(node.labels.get(LABEL_SINCE)),
        deadline=read_time(node.labels.get(LABEL_DEADLINE)),
        then=Then(then) if then in set(Then) else Then.STAY,
    )


def drain_by(leaving: Leaving, policy: Policy) -> datetime:
    """Return the time when the node must be drained, even if some tasks have not moved yet.

    This is the deadline minus the drain reserve. The reserve is smaller if the notice is short.
    """
    whole = max(timedelta(), leaving.deadline - leaving.since)
    return leaving.deadline - min(policy.drain_reserve, whole * 0.4)


def leave_by(leaving: Leaving, policy: Policy) -> datetime:
    """Return the time when the node must leave, even if tasks are still running on it.

    This is the deadline minus the leave margin. The margin is smaller if the notice is short.
    """
    whole = max(timedelta(), leaving.deadline - leaving.since)
    return leaving.deadline - min(policy.leave_margin, whole * 0.2)


def stop_by(leaving: Leaving, policy: Policy, grace: timedelta) -> datetime:
    """Return the time when a task that cannot move must be told to stop, so that it ends in time.

    This is when the node is drained, or earlier if the task has a longer stop grace period.
    """
    return min(drain_by(leaving, policy), leave_by(leaving, policy) - grace)


def is_taken(node: Node, view: View) -> bool:
    """Return whether AWS is reclaiming the node's instance; if so, the node cannot come back.

    Notices and labels are both checked, because a new leader may not have received the notice yet.
    """
    if node.instance is not None and view.notices.of(node.instance, "interruption"):
        return True
    leaving = leaving_of(node)
    return node.phase == LEAVING and leaving.then is not Then.STAY and leaving.why != "rebalance"
