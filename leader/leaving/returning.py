"""Returns a node to service: promotes a former manager, then lets the node take tasks again.

Rule: a node is not activated while one of our constraints excludes it. If the constraint were
removed after the activation, Swarm could stop tasks that have just started elsewhere.
"""

from collections.abc import Iterator

from leader.leaving.stages import Step, is_former_manager, named
from leader.moving.loan import loan_of
from leader.view.actions import ActivateNode, PromoteNode
from leader.view.model import Node
from leader.view.moment import Moment
from leader.view.work import Work
from wire.labels import LABEL_LOAN


def return_step(node: Node, moment: Moment) -> Step:
    """Return the next step for a returning node."""
    work = moment.view.work
    if is_former_manager(node):
        if not node.is_ready:
            # Activation removes the label of a former manager, so promotion must come first.
            return Step("returning", "the node to be Ready before its promotion to manager")
        promotion = PromoteNode(
            node=node.id,
            instance=node.instance,
            reason=f"{node.hostname} was a manager before it was drained",
        )
        return Step("returning", "the node's promotion to manager", promotion)
    if work is None:
        return Step("returning", "a list of services")
    services = tuple(services_kept_from(node, work))
    if services:
        return Step("returning", f"the leader to remove the constraints of {named(services)}")
    activation = ActivateNode(
        node=node.id, instance=node.instance, reason=f"{node.hostname} can take tasks again"
    )
    return Step("returning", "the node's activation", activation)


def services_kept_from(node: Node, work: Work) -> Iterator[str]:
    """Yield the names of the services that our constraints keep off a node."""
    for service in work.services.values():
        if LABEL_LOAN in service.labels:
            loan = loan_of(service)
            if loan is not None and node.id in loan.away_from:
                yield service.name
