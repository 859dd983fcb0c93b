"""What becomes of nodes: bound to their instances, labelled, probed, activated.

Rules: a node is bound by the private address EC2 gave, never by what it says of itself;
labels come from EC2's word; nothing is done from a list that is missing. Deciding twice on
the same view, the first time's actions being in flight, gives nothing new.
"""

from collections.abc import Iterator
from datetime import datetime

from leader.actions import (
    Action,
    ActivateNode,
    LabelNode,
    ListInstances,
    ProbeNode,
    RemoveNode,
    RotateToken,
)
from leader.ids import InstanceId
from leader.model import (
    JOINING,
    LABEL_INSTANCE,
    LABEL_KEY,
    LABEL_LIFECYCLE,
    LABEL_PHASE,
    LABEL_TYPE,
    LABEL_ZONE,
    Instance,
    Node,
    Policy,
    Tokens,
    View,
)
from wire.messages import Availability, Role


def reconcile(view: View, policy: Policy, *, cause: str, at: datetime) -> tuple[Action, ...]:
    """The actions this view calls for, less those in flight or set back."""
    if view.nodes_at is None:
        return ()
    return tuple(
        action
        for action in _wanted(view, policy, cause, at)
        if action.subject not in view.in_flight and not _is_set_back(view, action, at)
    )


def _is_set_back(view: View, action: Action, at: datetime) -> bool:
    setback = view.setbacks.get(action.subject)
    return setback is not None and at < setback.until


def _wanted(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    by_address = {instance.address: instance for instance in view.instances.values()}
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
        else:
            yield from _superseded(node, view, cause)
    yield from _listing(unknown, view, policy, cause, at)
    yield from _rotation(view, policy, cause, at)


def _label(node: Node, instance: Instance, view: View, cause: str) -> LabelNode:
    labels = {
        LABEL_INSTANCE: instance.instance,
        LABEL_LIFECYCLE: instance.lifecycle,
        LABEL_ZONE: instance.zone,
        LABEL_TYPE: instance.type,
    }
    granted = view.outstanding.get(instance.instance)
    if granted is not None:
        labels[LABEL_KEY] = granted.key
    if node.availability is Availability.DRAIN:
        labels[LABEL_PHASE] = JOINING
    return LabelNode(
        node=node.node,
        instance=instance.instance,
        labels=labels,
        reason=f"EC2 gave {node.address} to {instance.instance}",
        cause=cause,
    )


def _welcome(node: Node, instance: str, view: View, cause: str) -> Action:
    if node.node in view.probed:
        return ActivateNode(
            node=node.node,
            instance=_id(node),
            reason=f"{node.hostname} is labelled and its gossip port answers",
            cause=cause,
        )
    return ProbeNode(
        node=node.node,
        instance=_id(node),
        address=node.address,
        reason=f"{node.hostname} is bound to {instance}; before it takes tasks it must answer",
        cause=cause,
    )


def _superseded(node: Node, view: View, cause: str) -> Iterator[RemoveNode]:
    """A worker that left and joined again has two entries; the Down one is history."""
    instance = _id(node)
    if node.status != "down" or node.role is not Role.WORKER:
        return
    if any(other.is_ready for other in view.bound(instance) if other.node != node.node):
        yield RemoveNode(
            node=node.node,
            instance=instance,
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
    elif age >= policy.instances_every:
        yield ListInstances(reason="EC2's list is due again", cause=cause)


def _rotation(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[RotateToken]:
    """At most one rotation; who is on the way with a token that goes by age asks again."""
    tokens = view.tokens
    waiting = {granted.role for granted in view.outstanding.values()}
    if tokens.is_manager_used and Role.MANAGER not in waiting:
        yield RotateToken(
            role=Role.MANAGER, reason="the manager token was used, or may have been", cause=cause
        )
        return
    reason = _worker_rotation(tokens, policy, at, is_waited_for=Role.WORKER in waiting)
    if reason is not None:
        yield RotateToken(role=Role.WORKER, reason=reason, cause=cause)


def _worker_rotation(
    tokens: Tokens, policy: Policy, at: datetime, *, is_waited_for: bool
) -> str | None:
    if tokens.worker_rotated is None:
        return "a new leader cannot know who had this token"
    age = at - tokens.worker_rotated
    if tokens.worker_grants and age >= policy.worker_token_age:
        return f"the worker token is {age} old and was used"
    if tokens.worker_grants >= policy.worker_batch and not is_waited_for:
        return f"the worker token was granted {tokens.worker_grants} times"
    return None


def _id(node: Node) -> InstanceId:
    assert node.instance is not None
    return node.instance
