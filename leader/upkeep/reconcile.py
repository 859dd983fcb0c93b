"""Removes nodes without an EC2 instance, and instances without a node.

Rules: remove nothing unless the lists of nodes and instances are both recent. An instance counts as
gone after it has been missing from several lists in a row and for a minimum time. Both limits are
doubled if this leader has never seen the node Ready. Never remove managers. If more removals are
due than are allowed, remove nothing and log an error.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from leader.view.actions import Action, Refuse, RemoveNode, TerminateInstance
from leader.view.ids import InstanceId
from leader.view.model import Instance, Node, Policy, View
from leader.view.moment import Moment
from wire.labels import DRAINED, LEAVING
from wire.messages import Role

Removal = RemoveNode | TerminateInstance
_REFUSE_AGAIN: Final = timedelta(minutes=10)


def reconcile(moment: Moment) -> Iterator[Action]:
    """Yield the removals that are due, or a single `Refuse` action if there are too many."""
    census, policy, at = moment.view.census, moment.policy, moment.at
    if not _are_lists_fresh(moment) or not (census.down or census.apart):
        return
    removals = [*_lost_nodes(moment), *_orphans(moment)]
    if not removals:
        return
    recent = sum(1 for when in census.removed if at - when < policy.removal_round)
    under_way = sum(1 for removal in removals if removal.subject in moment.view.in_flight)
    if recent + len(removals) - under_way <= policy.removals_at_once:
        yield from removals
    elif recent:
        # This round is full. The next round handles or refuses the remaining removals.
        return
    elif census.refused is None or at - census.refused >= _REFUSE_AGAIN:
        yield Refuse(
            about="removals",
            reason=f"{len(removals)} nodes and instances seem to be gone, but at most"
            f" {policy.removals_at_once} may be removed in {policy.removal_round.seconds} s, so"
            " nothing is removed. If they really are gone, remove the nodes with `docker node rm`,"
            f" or raise removals_at_once. The first removal: {removals[0].reason}",
        )


def _are_lists_fresh(moment: Moment) -> bool:
    view, policy, at = moment.view, moment.policy, moment.at
    return (
        policy.identity == "aws"
        and view.nodes_at is not None
        and view.instances_at is not None
        and at - view.nodes_at <= policy.nodes_stale_after
        and at - view.instances_at <= 2 * policy.instances_every
    )


def _lost_nodes(moment: Moment) -> Iterator[Removal]:
    """Yield a removal for each worker that has been Down for too long.

    If the worker's instance is still running, yield a termination of the instance instead.
    """
    view, policy, at = moment.view, moment.policy, moment.at
    for name, since in view.census.down.items():
        node = view.nodes.get(name)
        if (
            node is None
            or node.role is not Role.WORKER
            or node.instance is None
            or node.phase == LEAVING
        ):
            continue
        patience = 1 if name in view.census.seen_ready else 2
        absence = view.census.missing.get(node.instance)
        if absence is not None:
            if (
                absence.lists >= policy.absent_lists * patience
                and at - absence.since >= policy.absent_for * patience
                and at - since >= policy.absent_for * patience
            ):
                yield _removal(node, absence.lists)
        elif (
            # The operator may have stopped a drained node's engine.
            node.phase != DRAINED
            and at - since >= policy.down_for * patience
            and _runs(node.instance, view)
        ):
            yield TerminateInstance(
                instance=node.instance,
                keeps_console=True,
                reason=f"{node.hostname} has been Down for {_minutes(at - since)} although its"
                " instance is running; the instance is terminated, and its console output is saved",
            )


def _runs(name: InstanceId, view: View) -> bool:
    known = view.instances.get(name)
    return known is not None and known.runs


def _removal(node: Node, lists: int) -> RemoveNode:
    return RemoveNode(
        node=node.id,
        instance=node.instance,
        reason=f"{node.hostname} is Down, and EC2 did not list {node.instance} as running"
        f" {lists} times in a row",
    )


def _orphans(moment: Moment) -> Iterator[Removal]:
    """Yield a termination for each running worker instance that has no node in the swarm."""
    view, policy, at = moment.view, moment.policy, moment.at
    bound = {node.instance for node in view.nodes.values() if node.instance is not None}
    for name, since in view.census.apart.items():
        instance = view.instances.get(name)
        if instance is None or not instance.runs or instance.role != Role.WORKER or name in bound:
            continue
        if at - since < policy.orphan_after or name in view.outstanding:
            continue
        if _is_young(instance, policy, at):
            continue
        yield TerminateInstance(
            instance=name,
            keeps_console=True,
            reason=f"{name} has been running for {_minutes(at - since)} without being a node of the"
            " swarm; the instance is terminated, and its console output is saved",
        )


def _is_young(instance: Instance, policy: Policy, at: datetime) -> bool:
    return instance.launched is not None and at - instance.launched < policy.orphan_after


def _minutes(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
