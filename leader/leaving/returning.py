"""How a node returns: it is promoted if it was a manager, and takes tasks again.

Rule: a node is not activated while one of our constraints names it. If the constraint were removed
afterwards, Swarm could stop the tasks that have just started elsewhere.
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
    """The next step of a node that returns."""
    work = moment.view.work
    if is_former_manager(node):
        if not node.is_ready:
            # If it were activated now, it would never be a manager again.
            return Step("returning", "it to be Ready; then it becomes a manager again")
        promotion = PromoteNode(
            node=node.id,
            instance=node.instance,
            reason=f"{node.hostname} was a manager before it was drained",
        )
        return Step("returning", "its promotion to a manager", promotion)
    if work is None:
        return Step("returning", "a list of services")
    services = tuple(services_kept_from(node, work))
    if services:
        return Step("returning", f"the constraints of {named(services)} to be removed")
    activation = ActivateNode(
        node=node.id, instance=node.instance, reason=f"{node.hostname} takes tasks again"
    )
    return Step("returning", "its activation", activation)


def services_kept_from(node: Node, work: Work) -> Iterator[str]:
    """The names of the services whose tasks our constraints keep from a node."""
    for service in work.services.values():
        if LABEL_LOAN in service.labels:
            loan = loan_of(service)
            if loan is not None and node.id in loan.away_from:
                yield service.name
