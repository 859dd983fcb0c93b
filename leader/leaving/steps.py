"""The next step for each node that is leaving, returning or drained, or that AWS may interrupt.

Only this module defines the order of the steps. `depart` yields their actions, and
`leader.report.progress` shows their stages. Each node has at most one action in flight, so its
actions happen in order.
"""

from collections.abc import Iterator

from leader.leaving.emptying import leaving_step
from leader.leaving.returning import return_step
from leader.leaving.stages import MANAGER, Step
from leader.leaving.starting import hinted_step, serving_workers, wish_step
from leader.view import isolation
from leader.view.actions import Action, DemoteNode, PromoteNode, TerminateInstance
from leader.view.model import Node, View
from leader.view.moment import Moment
from leader.view.terms import Then, leaving_of
from wire.labels import DRAINED, HINTED, LABEL_WAS, LEAVING, RETURNING
from wire.messages import Availability, Role


def next_step(node: Node, moment: Moment) -> Step | None:
    """Return a node's next step, or None for an ordinary node.

    A node is ordinary unless it is leaving, returning or drained, or is paused because of a
    rebalance recommendation.
    """
    step = wish_step(node, moment)
    if step is not None:
        return step
    if node.phase == HINTED:
        return hinted_step(node, moment, serving_workers(moment.view))
    if node.phase == DRAINED:
        return Step(
            "drained", f"the operator to run `spotswarm return {node.hostname.partition('.')[0]}`"
        )
    if node.phase == RETURNING or (node.phase == LEAVING and _is_activated_by_hand(node)):
        return return_step(node, moment)
    return leaving_step(node, moment) if node.phase == LEAVING else None


def _is_activated_by_hand(node: Node) -> bool:
    """Whether an operator has manually activated a leaving node that can still return."""
    is_gone = node.status == "down" and leaving_of(node).then is not Then.STAY
    is_active = node.availability is Availability.ACTIVE and node.role is Role.WORKER
    return is_active and not is_gone


def depart(moment: Moment) -> Iterator[Action]:
    """Yield actions for nodes that are leaving or returning, and for instances of removed nodes."""
    view = moment.view
    for instance, reason in view.notices.to_terminate.items():
        known = view.instances.get(instance)
        if known is not None and known.runs:
            yield TerminateInstance(instance=instance, reason=reason)
    nodes = [node for node in view.nodes.values() if node.phase in {LEAVING, RETURNING}]
    is_role_changing = any(_is_role_changing(node, view) for node in nodes)
    for node in nodes:
        step = _step_or_fault(node, moment)
        if step is None or step.action is None:
            continue
        if isinstance(step.action, DemoteNode | PromoteNode):
            if is_role_changing:
                continue
            is_role_changing = True
        yield step.action


def _step_or_fault(node: Node, moment: Moment) -> Step | None:
    try:
        return next_step(node, moment)
    except Exception as exc:  # noqa: BLE001  the report has the exception
        report = isolation.report(f"the next step for {node.hostname}", exc)
        return Step("leaving", "a correction of the leader", report)


def _is_role_changing(node: Node, view: View) -> bool:
    """Whether an action in flight could demote or promote this node."""
    is_or_was_manager = node.role is Role.MANAGER or node.labels.get(LABEL_WAS) == MANAGER
    return is_or_was_manager and view.is_changing(node.id)
