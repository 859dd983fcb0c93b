"""What becomes of new nodes: bound to their instances, labelled, probed, activated.

Rules: a node is bound by the private address EC2 gave, never by what it says of itself;
labels come from EC2's word.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.view.actions import (
    Action,
    ActivateNode,
    LabelNode,
    ListInstances,
    ProbeNode,
    RemoveNode,
)
from leader.view.ids import InstanceId
from leader.view.model import Instance, Node, Policy, View
from wire.labels import (
    JOINING,
    LABEL_INSTANCE,
    LABEL_KEY,
    LABEL_LIFECYCLE,
    LABEL_PHASE,
    LABEL_TYPE,
    LABEL_ZONE,
)
from wire.messages import Availability, Role


def welcome(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    """What new nodes need, and EC2's list where it is due."""
    by_address = {instance.address: instance for instance in view.instances.values()}
    ready = {node.instance for node in view.nodes.values() if node.is_ready}
    unknown: list[Node] = []
    for node in view.nodes.values():
        if node.instance is None:
            instance = by_address.get(node.address)
            if instance is None:
                unknown.append(node)
            elif node.is_ready:
                yield _label(node, instance, view, cause)
        elif node.is_joining and node.is_ready:
            yield _welcome(node, node.instance, view, cause)
        elif node.status == "down" and node.role is Role.WORKER and node.instance in ready:
            yield _superseded(node, node.instance, cause)
    yield from _listing(unknown, view, policy, cause, at)


def _label(node: Node, instance: Instance, view: View, cause: str) -> LabelNode:
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
    return LabelNode(
        node=node.id,
        instance=instance.id,
        labels=labels,
        reason=f"EC2 gave {node.address} to {instance.id}",
        cause=cause,
    )


def _welcome(node: Node, instance: InstanceId, view: View, cause: str) -> Action:
    if node.id in view.probed:
        return ActivateNode(
            node=node.id,
            instance=instance,
            reason=f"{node.hostname} is labelled and its gossip port answers",
            cause=cause,
        )
    return ProbeNode(
        node=node.id,
        instance=instance,
        address=node.address,
        reason=f"{node.hostname} is bound to {instance}; before it takes tasks it must answer",
        cause=cause,
    )


def _superseded(node: Node, instance: InstanceId, cause: str) -> RemoveNode:
    """A worker that left and joined again has two entries; the Down one is history."""
    return RemoveNode(
        node=node.id,
        instance=instance,
        is_departed=True,
        reason=f"{instance} joined anew and is Ready; this entry is Down",
        cause=cause,
    )


def _listing(
    unknown: list[Node], view: View, policy: Policy, cause: str, at: datetime
) -> Iterator[ListInstances]:
    if policy.identity != "aws":
        return
    age = None if view.instances_at is None else at - view.instances_at
    if age is None:
        yield ListInstances(reason="EC2's instances are not known yet", cause=cause)
    elif unknown and age >= policy.unknown_node_every:
        names = ", ".join(sorted(node.hostname for node in unknown)[:3])
        yield ListInstances(reason=f"no instance is known at the address of {names}", cause=cause)
    elif view.census.missing and age >= policy.unknown_node_every:
        names = ", ".join(sorted(view.census.missing)[:3])
        yield ListInstances(reason=f"EC2 did not call {names} running", cause=cause)
    elif age >= policy.instances_every:
        yield ListInstances(reason="EC2's list is due again", cause=cause)
