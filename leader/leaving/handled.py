"""Decides which messages of the queue are no longer needed.

Rule: until a node's labels show that it is leaving, the next leader needs the message. SQS delivers
it again and again.
"""

from collections.abc import Iterator

from leader.view.actions import DeleteNotices
from leader.view.ids import InstanceId
from leader.view.moment import Moment
from wire.labels import LEAVING


def handled(moment: Moment) -> Iterator[DeleteNotices]:
    """Yield actions that delete queue messages whose notices need no further action.

    No further action is needed if the node's labels already show that the node is leaving, or if
    the notice does not require the node to leave. A message may be about several instances.
    """
    view = moment.view
    if not view.notices.receipts or view.instances_at is None:
        return
    phases = {node.instance: node.phase for node in view.nodes.values() if node.instance}
    awaited: set[str] = set()
    for instance, receipts in view.notices.receipts.items():
        if phases.get(instance, LEAVING) != LEAVING and _requires_leaving(instance, moment):
            awaited.update(receipts)
    for instance, receipts in view.notices.receipts.items():
        spare = tuple(receipt for receipt in receipts if receipt not in awaited)
        if spare:
            reason = f"the notices about {instance} have been acted on"
            yield DeleteNotices(receipts=spare, reason=reason)


def _requires_leaving(instance: InstanceId, moment: Moment) -> bool:
    """Return whether a notice requires the node to leave now, or later for maintenance."""
    return any(
        notice.kind == "interruption"
        or (
            notice.kind == "maintenance"
            and (notice.deadline is None or moment.at < notice.deadline)
        )
        for notice in moment.view.notices.standing.get(instance, ())
    )
