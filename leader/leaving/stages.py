"""Defines the stages and steps of a node that is leaving or returning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from leader.view.actions import Action, PauseNode
from leader.view.model import Node
from leader.view.terms import Leaving, Then
from wire.labels import LABEL_WAS
from wire.messages import Availability, Role

MANAGER: Final = "manager"
"""The value of the label `spotswarm.was` on a manager that was demoted for a drain."""
_NAMED: Final = 3

Stage = Literal["hinted", "evacuating", "draining", "leaving", "drained", "returning"]


@dataclass(frozen=True, slots=True)
class Step:
    """A node's stage, what the node is waiting for, and the action that is due, if any."""

    stage: Stage
    waits_for: str
    action: Action | None = None


def start_leaving(node: Node, terms: Leaving, *, reason: str) -> PauseNode:
    """Pause a node unless it is drained, and record in its labels why and how it is leaving."""
    was: Mapping[str, str] = {LABEL_WAS: MANAGER} if node.role is Role.MANAGER else {}
    return PauseNode(
        node=node.id,
        instance=node.instance,
        labels=terms.labels() | dict(was if terms.then is Then.STAY else {}),
        is_drained=node.availability is Availability.DRAIN,
        reason=reason,
    )


def is_former_manager(node: Node) -> bool:
    """Whether a node was a manager before a drain and is still waiting to be promoted again."""
    return node.labels.get(LABEL_WAS) == MANAGER and node.role is Role.WORKER


def named(names: Iterable[str]) -> str:
    """List the first three names in alphabetical order, and say how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _NAMED
    return ", ".join(ordered[:_NAMED]) + (f" and {more} more" if more > 0 else "")
