"""The terms on which a node leaves: the reason, the start, the deadline, and what happens next.

Rule: the terms are stored in the node's labels, where the next leader can read them.
"""

from dataclasses import dataclass
from datetime import datetime
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
    """What happens once a node is empty."""

    TERMINATE = "terminate"
    STAY = "stay"
    """The operator drained the node, which stays in the swarm without tasks."""
    AWS = "aws"
    """AWS stops or hibernates the instance, which may come back."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The terms in a node's labels; the times follow the clock of the leader that wrote them."""

    why: str
    since: datetime
    deadline: datetime
    then: Then

    def labels(self) -> dict[str, str]:
        """Return these terms as node labels."""
        return {
            LABEL_PHASE: LEAVING,
            LABEL_WHY: self.why,
            LABEL_SINCE: time_text(self.since),
            LABEL_DEADLINE: time_text(self.deadline),
            LABEL_THEN: self.then.value,
        }


def leaving_of(node: Node) -> Leaving:
    """Read the terms from a node's labels.

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
    """Return the time when Swarm's drain takes over tasks that have not moved.

    This is the deadline minus the drain reserve, which is shortened if the notice is short.
    """
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.drain_reserve, whole * 0.4)


def leave_by(leaving: Leaving, policy: Policy) -> datetime:
    """Return the time when the node leaves, even if tasks are still running on the node.

    This is the deadline minus the leave margin, which is shortened if the notice is short.
    """
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.leave_margin, whole * 0.2)


def is_taken(node: Node, view: View) -> bool:
    """Whether AWS is reclaiming the node's instance, which means that the node cannot return.

    Both notices and labels count, because a new leader may not have received the notice yet.
    """
    if node.instance is not None and view.notices.of(node.instance, "interruption"):
        return True
    leaving = leaving_of(node)
    return node.phase == LEAVING and leaving.then is not Then.STAY and leaving.why != "rebalance"
