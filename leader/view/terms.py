"""On what terms a node leaves: why, since and until when, and what follows.

Rule: the terms are kept in the node's labels, so that the next leader knows them.
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
    """What follows once a node is empty."""

    TERMINATE = "terminate"
    STAY = "stay"
    """The operator drained it: it stays in the swarm, without tasks."""
    AWS = "aws"
    """AWS stops or hibernates the instance, which may come back."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The terms as a node's labels say them, with the times of the leader that wrote them."""

    why: str
    since: datetime
    deadline: datetime
    then: Then

    def labels(self) -> dict[str, str]:
        """The node's labels that say this."""
        return {
            LABEL_PHASE: LEAVING,
            LABEL_WHY: self.why,
            LABEL_SINCE: time_text(self.since),
            LABEL_DEADLINE: time_text(self.deadline),
            LABEL_THEN: self.then.value,
        }


def leaving_of(node: Node) -> Leaving:
    """Read a leaving node's labels; damaged ones mean that its time is over and that it stays."""
    then = node.labels.get(LABEL_THEN, "")
    return Leaving(
        why=node.labels.get(LABEL_WHY, "unknown"),
        since=read_time(node.labels.get(LABEL_SINCE)),
        deadline=read_time(node.labels.get(LABEL_DEADLINE)),
        then=Then(then) if then in set(Then) else Then.STAY,
    )


def drain_by(leaving: Leaving, policy: Policy) -> datetime:
    """When tasks that have not moved are left to Swarm's drain; sooner if the notice is short."""
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.drain_reserve, whole * 0.4)


def leave_by(leaving: Leaving, policy: Policy) -> datetime:
    """When the node leaves even if tasks still run on it; sooner if the notice is short."""
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.leave_margin, whole * 0.2)


def is_taken(node: Node, view: View) -> bool:
    """Whether AWS is taking the node, by a notice or by its labels; it cannot be returned then.

    The labels count too, because a new leader may not know the notice yet.
    """
    if node.instance is not None and view.notices.of(node.instance, "interruption"):
        return True
    leaving = leaving_of(node)
    return node.phase == LEAVING and leaving.then is not Then.STAY and leaving.why != "rebalance"
