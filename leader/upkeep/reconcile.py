"""EC2 against the swarm: nodes without an instance, instances without a node, the half dead.

Rules: either list missing or stale, nothing is removed; gone means absent from several lists and
for a while, doubly so for what this leader has not heard yet; managers are never touched; more
removals at once than allowed are all refused, once and loudly.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from leader.view.actions import Action, Refuse, RemoveNode, TerminateInstance
from leader.view.ids import InstanceId
from leader.view.model import Instance, Node, Policy, View
from wire.labels import DRAINED, LEAVING
from wire.messages import Role

Removal = RemoveNode | TerminateInstance
_REFUSE_AGAIN: Final = timedelta(minutes=10)


def reconcile(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    """What is to be removed, or one refusal."""
    if not _is_known(view, policy, at) or not (view.census.down or view.census.apart):
        return
    removals = [*_ghosts(view, policy, cause, at), *_orphans(view, policy, cause, at)]
    if not removals:
        return
    lately = sum(1 for when in view.census.removed if at - when < policy.removal_round)
    under_way = sum(1 for removal in removals if removal.subject in view.in_flight)
    if lately + len(removals) - under_way <= policy.removals_at_once:
        yield from removals
    elif lately:
        # A round is full; what is left waits for the next one, or is refused there.
        return
    elif view.census.refused is None or at - view.census.refused >= _REFUSE_AGAIN:
        yield Refuse(
            about="removals",
            reason=f"{len(removals)} nodes and instances seem to be gone at once, and at most"
            f" {policy.removals_at_once} are removed in {policy.removal_round.seconds} s:"
            " nothing is removed. If it is true, remove them by hand: docker node rm, or raise"
            f" removals_at_once. The first: {removals[0].reason}",
            cause=cause,
        )


def _is_known(view: View, policy: Policy, at: datetime) -> bool:
    """Both lists are there, and fresh."""
    return (
        policy.identity == "aws"
        and view.nodes_at is not None
        and view.instances_at is not None
        and at - view.nodes_at <= policy.nodes_stale_after
        and at - view.instances_at <= 2 * policy.instances_every
    )


def _ghosts(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Removal]:
    """Workers that are Down, and their instances gone, or running and useless for too long."""
    for name, since in view.census.down.items():
        node = view.nodes.get(name)
        if (
            node is None
            or node.role is not Role.WORKER
            or node.instance is None
            or node.phase == LEAVING
        ):
            continue
        patience = 1 if name in view.census.heard else 2
        absence = view.census.missing.get(node.instance)
        if absence is not None:
            if (
                absence.looks >= policy.looks * patience
                and at - absence.since >= policy.absent_for * patience
                and at - since >= policy.absent_for * patience
            ):
                yield _removal(node, absence.looks, cause)
        elif (
            # A drained one is the operator's: he may have stopped its engine himself.
            node.phase != DRAINED
            and at - since >= policy.down_for * patience
            and _runs(node.instance, view)
        ):
            yield TerminateInstance(
                instance=node.instance,
                keeps_console=True,
                reason=f"{node.hostname} has been Down for {_minutes(at - since)} while EC2 says"
                " that it runs: it is given up",
                cause=cause,
            )


def _runs(name: InstanceId, view: View) -> bool:
    known = view.instances.get(name)
    return known is not None and known.runs


def _removal(node: Node, looks: int, cause: str) -> RemoveNode:
    return RemoveNode(
        node=node.id,
        instance=node.instance,
        reason=f"{node.hostname} is Down, and EC2 has not called {node.instance} running"
        f" {looks} times in a row",
        cause=cause,
    )


def _orphans(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Removal]:
    """Workers' instances that run and never became a node, or no longer are one."""
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
            reason=f"{name} has run for {_minutes(at - since)} and is no node of the swarm:"
            " its console is kept",
            cause=cause,
        )


def _is_young(instance: Instance, policy: Policy, at: datetime) -> bool:
    return instance.launched is not None and at - instance.launched < policy.orphan_after


def _minutes(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
