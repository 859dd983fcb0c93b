"""On what terms a node leaves: why, since and until when, and what becomes of it then. Values.

Rule: they are read from the node's labels and written to them, so the next leader keeps them.
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
    """What becomes of an emptied node."""

    TERMINATE = "terminate"
    STAY = "stay"
    """It is the operator's: drained, and a node still."""
    AWS = "aws"
    """AWS stops or hibernates the instance itself; it may come back."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a node's labels say of its leaving; times as written by whichever leader began it."""

    why: str
    since: datetime
    deadline: datetime
    then: Then

    def labels(self) -> dict[str, str]:
        """As they are written on the node."""
        return {
            LABEL_PHASE: LEAVING,
            LABEL_WHY: self.why,
            LABEL_SINCE: time_text(self.since),
            LABEL_DEADLINE: time_text(self.deadline),
            LABEL_THEN: self.then.value,
        }


def leaving_of(node: Node) -> Leaving:
    """Read a leaving node's labels; what somebody has spoilt reads as over now, and to stay."""
    then = node.labels.get(LABEL_THEN, "")
    return Leaving(
        why=node.labels.get(LABEL_WHY, "unknown"),
        since=read_time(node.labels.get(LABEL_SINCE)),
        deadline=read_time(node.labels.get(LABEL_DEADLINE)),
        then=Then(then) if then in set(Then) else Then.STAY,
    )


def drain_by(leaving: Leaving, policy: Policy) -> datetime:
    """When what has not moved is left to Swarm's drain; a short notice is shared out."""
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.drain_reserve, whole * 0.4)


def leave_by(leaving: Leaving, policy: Policy) -> datetime:
    """When the node goes with whatever still runs on it."""
    whole = leaving.deadline - leaving.since
    return leaving.deadline - min(policy.leave_margin, whole * 0.2)


def is_taken(node: Node, view: View) -> bool:
    """Whether AWS takes it, by a notice or by its labels: then nothing brings it back.

    The labels count too: a leader that has just begun has heard of no notice yet.
    """
    if node.instance is not None and view.market.notice(node.instance, "interruption"):
        return True
    leaving = leaving_of(node)
    return node.phase == LEAVING and leaving.then is not Then.STAY and leaving.why != "rebalance"
