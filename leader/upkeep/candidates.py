"""Finds the nodes and instances that are to be removed, and says when each of them is due.

Rules: a candidate is due only after several lists in a row have shown its state, and after a
minimum time. Both limits are doubled if this leader has never seen the node Ready. Managers are
never candidates. How many may be removed at once is decided in `leader.upkeep.reconcile`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from leader.view.actions import RemoveNode, TerminateInstance
from leader.view.census import Streak
from leader.view.ids import InstanceId, NodeId
from leader.view.model import Node, View
from leader.view.moment import Moment
from wire.labels import DRAINED, LEAVING
from wire.messages import Role

Removal = RemoveNode | TerminateInstance


class Group(StrEnum):
    """Why something is to be removed. Each group is counted apart."""

    ENDED = "ended"
    """Down nodes whose instances EC2 itself calls terminated. This is the only certain group."""
    MISSING = "missing"
    """Down nodes whose instances EC2 does not list as running."""
    SILENT = "silent"
    """Running instances whose nodes are Down."""
    ORPHANS = "orphans"
    """Running instances that are not nodes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node or an instance that is removed when it is due, unless its state changes before."""

    group: Group
    hostname: str
    instance: InstanceId
    node: NodeId | None
    removal: Removal
    due_at: datetime
    """The earliest time of the removal; the number of lists can delay it."""
    is_due: bool


def candidates(moment: Moment) -> Iterator[Candidate]:
    """Yield the nodes and instances that are to be removed. Outside AWS, there are none."""
    if moment.policy.identity == "aws":
        yield from _lost_nodes(moment)
        yield from _orphans(moment)


def _lost_nodes(moment: Moment) -> Iterator[Candidate]:
    view = moment.view
    ready = {node.instance for node in view.nodes.values() if node.is_ready}
    for name, down in view.census.down.items():
        node = view.nodes.get(name)
        if (
            node is None
            or node.role is not Role.WORKER
            or node.instance is None
            or node.phase == LEAVING
        ):
            continue
        missing = view.census.missing.get(node.instance)
        if missing is not None:
            yield _gone(node, node.instance, down, missing, moment)
        elif (
            node.phase != DRAINED
            and node.instance not in ready
            and _may_be_terminated(node.instance, moment)
        ):
            # The operator may have stopped a drained node's engine. An instance that has joined
            # again has an old node that is Down and a new one that is Ready.
            yield _silent(node, node.instance, down, moment)


def _gone(
    node: Node,
    instance: InstanceId,
    down: Streak,
    missing: Streak,
    moment: Moment,
) -> Candidate:
    policy, patience = moment.policy, _patience(node, moment.view)
    is_ended = instance in moment.view.census.ended
    due_at = max(missing.since, down.since) + policy.absent_for * patience
    lists = missing.lists
    listed = f"EC2 did not list {instance} as running {lists} times in a row"
    says = f"EC2 says that {instance} is terminated; " if is_ended else ""
    reason = f"{node.hostname} is Down, and {says}{listed}"
    return Candidate(
        group=Group.ENDED if is_ended else Group.MISSING,
        hostname=node.hostname,
        instance=instance,
        node=node.id,
        removal=RemoveNode(node=node.id, instance=instance, reason=reason),
        due_at=due_at,
        is_due=moment.at >= due_at and min(lists, down.lists) >= policy.absent_lists * patience,
    )


def _silent(node: Node, instance: InstanceId, down: Streak, moment: Moment) -> Candidate:
    policy, at, patience = moment.policy, moment.at, _patience(node, moment.view)
    due_at = down.since + policy.down_for * patience
    reason = (
        f"{node.hostname} has been Down for {_minutes(at - down.since)} although its"
        " instance is running; the instance is terminated, and its console output is saved"
    )
    return Candidate(
        group=Group.SILENT,
        hostname=node.hostname,
        instance=instance,
        node=node.id,
        removal=TerminateInstance(instance=instance, keeps_console=True, reason=reason),
        due_at=due_at,
        is_due=at >= due_at and down.lists >= policy.absent_lists * patience,
    )


def _patience(node: Node, view: View) -> int:
    return 1 if node.id in view.census.seen_ready else 2


def _may_be_terminated(name: InstanceId, moment: Moment) -> bool:
    """Whether an instance is running, and has the cluster's tag.

    An operator who takes the tag off a running instance takes it out of the leader's hands.
    """
    known = moment.view.instances.get(name)
    return known is not None and known.runs and known.is_of(moment.policy.cluster)


def _orphans(moment: Moment) -> Iterator[Candidate]:
    """Yield the running worker instances that have no node in the swarm."""
    view, policy, at = moment.view, moment.policy, moment.at
    bound = {node.instance for node in view.nodes.values() if node.instance is not None}
    for name, apart in view.census.apart.items():
        instance = view.instances.get(name)
        if instance is None or instance.role != Role.WORKER or name in bound:
            continue
        if name in view.outstanding or not _may_be_terminated(name, moment):
            continue
        begun = max(apart.since, instance.launched or apart.since)
        reason = (
            f"{name} has been running for {_minutes(at - apart.since)} without being a node of the"
            " swarm; the instance is terminated, and its console output is saved"
        )
        yield Candidate(
            group=Group.ORPHANS,
            hostname=name,
            instance=name,
            node=None,
            removal=TerminateInstance(instance=name, keeps_console=True, reason=reason),
            due_at=begun + policy.orphan_after,
            is_due=at >= begun + policy.orphan_after and apart.lists >= policy.absent_lists,
        )


def unbound_nodes(view: View) -> tuple[Node, ...]:
    """Return the nodes that are present and not bound to an instance.

    While there is such a node, an instance that seems to be no node may be this node's instance.
    """
    return tuple(
        node for node in view.nodes.values() if node.instance is None and node.status != "down"
    )


def _minutes(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
