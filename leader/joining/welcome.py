"""Binds each new node to its instance, then labels, probes and activates the node.

Rule: a node is bound to an instance by the private address that EC2 reports, never by data from the
node. The node's labels also come from EC2.
"""

from collections.abc import Collection, Iterator
from typing import Final

from leader.view.actions import (
    Action,
    ActivateNode,
    LabelNode,
    ListInstances,
    ProbeNode,
    RemoveNode,
)
from leader.view.ids import InstanceId
from leader.view.model import Instance, Node, View
from leader.view.moment import Moment
from wire.labels import (
    JOINING,
    LABEL_INSTANCE,
    LABEL_KEY,
    LABEL_LIFECYCLE,
    LABEL_PHASE,
    LABEL_TYPE,
    LABEL_ZONE,
    OWN_NODE_LABELS,
)
from wire.messages import Availability, Role

_MOST_BY_ID: Final = 200
"""How many values EC2 accepts for one filter."""


def welcome(moment: Moment) -> Iterator[Action]:
    """Yield each new node's next action, and `ListInstances` when the instances must be listed."""
    view = moment.view
    by_address = _by_address(view.instances.values())
    ready = {node.instance for node in view.nodes.values() if node.is_ready}
    unknown: list[Node] = []
    for node in view.nodes.values():
        if node.instance is None:
            instance = by_address.get(node.address)
            if instance is None:
                unknown.append(node)
            elif node.is_ready:
                yield _label(node, instance, view)
        elif node.is_joining and node.is_ready:
            yield _admit_tasks(node, node.instance, view)
        elif node.status == "down" and node.role is Role.WORKER and node.instance in ready:
            yield _inheriting(node.instance, view) or _superseded(node, node.instance)
    yield from _listing(unknown, moment)


def _by_address(instances: Collection[Instance]) -> dict[str, Instance]:
    """Return the instances by all their private addresses; a primary address takes precedence.

    An address of an instance that is ending may already belong to another instance.
    """
    able = sorted(instances, key=lambda instance: instance.state != "shutting-down")
    others = {other: each for each in able for other in each.addresses}
    return others | {each.address: each for each in able if each.address}


def missing_instances(view: View) -> tuple[InstanceId, ...]:
    """Return the instances to list by their ids: EC2 does not list them, nor call them ended."""
    return tuple(sorted(view.census.missing.keys() - view.census.ended)[:_MOST_BY_ID])


def _label(node: Node, instance: Instance, view: View) -> LabelNode:
    labels = {
        LABEL_INSTANCE: instance.id,
        LABEL_LIFECYCLE: instance.lifecycle,
        LABEL_ZONE: instance.zone,
        LABEL_TYPE: instance.type,
    }
    granted = view.outstanding.get(instance.id)
    if granted is not None:
        labels[LABEL_KEY] = granted.key
    if node.availability is Availability.DRAIN:
        labels[LABEL_PHASE] = JOINING
    labels |= _inherited(node, instance.id, view)
    return LabelNode(
        node=node.id,
        instance=instance.id,
        labels=labels,
        reason=f"EC2 reports {node.address} as an address of {instance.id}",
    )


def _inherited(node: Node, instance: InstanceId, view: View) -> dict[str, str]:
    """Return the operator's labels on the instance's older nodes that this node does not have.

    An instance that leaves and joins again is a new node for Swarm, without any labels.
    """
    older = [known for known in view.bound(instance) if known.id != node.id and not known.is_ready]
    return {
        key: text
        for known in sorted(older, key=lambda known: known.created)
        for key, text in known.labels.items()
        if key not in OWN_NODE_LABELS and key not in node.labels
    }


def _inheriting(instance: InstanceId, view: View) -> LabelNode | None:
    """Copy the operator's labels to an instance's new node, if it lacks any.

    The old node must not be removed before.
    """
    for node in view.bound(instance):
        labels = _inherited(node, instance, view) if node.is_ready else {}
        if labels:
            return LabelNode(
                node=node.id,
                instance=instance,
                labels=labels,
                reason=f"{instance} has joined again as a new node, which gets the labels of the"
                f" old one: {', '.join(sorted(labels))}",
            )
    return None


def _admit_tasks(node: Node, instance: InstanceId, view: View) -> Action:
    if node.id in view.probed:
        return ActivateNode(
            node=node.id,
            instance=instance,
            reason=f"{node.hostname} has its labels, and its gossip port is reachable",
        )
    return ProbeNode(
        node=node.id,
        instance=instance,
        address=node.address,
        reason=f"{node.hostname} is bound to {instance};"
        " its gossip port must be reachable before the node takes tasks",
    )


def _superseded(node: Node, instance: InstanceId) -> RemoveNode:
    """Remove a worker's old node after its instance has joined again as a new node."""
    return RemoveNode(
        node=node.id,
        instance=instance,
        is_departed=True,
        reason=f"{instance} has joined again as a new node, so its old node is removed",
    )


def _listing(unknown: list[Node], moment: Moment) -> Iterator[ListInstances]:
    view, policy = moment.view, moment.policy
    if policy.identity != "aws":
        return
    age = None if view.instances_at is None else moment.at - view.instances_at
    missing = missing_instances(view)
    if age is None:
        yield ListInstances(reason="the leader has not listed the EC2 instances yet")
    elif unknown and age >= policy.unknown_node_every:
        names = ", ".join(sorted(node.hostname for node in unknown)[:3])
        yield ListInstances(
            reason=f"no known instance has the address of node {names}", missing=missing
        )
    elif view.census.missing and age >= policy.unknown_node_every:
        names = ", ".join(sorted(view.census.missing)[:3])
        yield ListInstances(reason=f"EC2 did not list {names} as running", missing=missing)
    elif age >= policy.unknown_node_every and _is_look_due(moment):
        reason = "an instance without a node has not been seen often enough to be sure"
        yield ListInstances(reason=reason, missing=missing)
    elif age >= policy.instances_every:
        yield ListInstances(reason="the regular list of EC2 instances is due", missing=missing)


def _is_look_due(moment: Moment) -> bool:
    """Whether an instance has run without a node for long, but was seen in too few lists."""
    policy = moment.policy
    return any(
        apart.lists < policy.absent_lists and moment.at - apart.since >= policy.orphan_after
        for apart in moment.view.census.apart.values()
    )
