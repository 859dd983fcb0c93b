"""Who gets a join token, and which: the one place that decides it.

A manager's token is the cluster's root password. Rule: it goes only to an instance that
EC2 calls on-demand, that carries the role tag `manager`, while managers are wanted and no
other manager change is under way. Spot gets a worker's token, always: losing two of three
managers at AWS's whim would lose the cluster.
"""

from datetime import datetime

from leader.view.model import Ask, Denied, Identity, Instance, Node, Policy, View
from wire.labels import TAG_CLUSTER, TAG_ROLE
from wire.messages import DenialCode, Role

_JOINABLE_STATES = ("pending", "running")


def admit(ask: Ask, view: View, policy: Policy, at: datetime) -> Denied | None:
    """Decide one proven request: None admits it to the role it asks for.

    Denials that pass by themselves say a short `retry_after_seconds`.
    """
    denied = _belongs(ask.identity, policy)
    if denied is not None:
        return denied
    if view.nodes_at is None or at - view.nodes_at > policy.nodes_stale_after:
        return Denied(DenialCode.NOT_READY, "the swarm's nodes have not been listed lately", 2)
    denied = _is_absent(ask.identity.instance, view) or _is_going(ask.identity.instance, view)
    if denied is not None:
        return denied
    if ask.role is Role.MANAGER:
        return _may_manage(ask.identity, view, policy, at)
    return None


def _belongs(identity: Identity, policy: Policy) -> Denied | None:
    if identity.mode != policy.identity:
        return Denied(
            DenialCode.IDENTITY_MODE,
            f"identity is shown by {identity.mode}; this cluster is set to {policy.identity}",
            60,
        )
    instance = identity.instance
    if instance.cluster != policy.cluster:
        return Denied(
            DenialCode.NOT_IN_CLUSTER,
            f"{instance.id} has no tag {TAG_CLUSTER}={policy.cluster}",
            30,
        )
    if instance.state not in _JOINABLE_STATES:
        return Denied(DenialCode.NOT_RUNNING, f"EC2 says {instance.id} is {instance.state}", 30)
    return None


def _is_absent(instance: Instance, view: View) -> Denied | None:
    """A container may be using its host's credentials: a Ready node asks for nothing."""
    for node in view.nodes.values():
        if node.is_ready and (node.instance == instance.id or node.address == instance.address):
            return Denied(
                DenialCode.ALREADY_JOINED,
                f"{instance.id} is node {node.hostname} already, and it is Ready",
                3,
            )
    return None


def _is_going(instance: Instance, view: View) -> Denied | None:
    """One that AWS takes in two minutes, or that we are ending, is not to come back before."""
    name = instance.id
    if name in view.market.ending or view.market.notice(name, "interruption") is not None:
        return Denied(DenialCode.LEAVING, f"{name} is about to be taken or ended", 30)
    return None


def _may_manage(identity: Identity, view: View, policy: Policy, at: datetime) -> Denied | None:
    instance = identity.instance
    if identity.mode != "aws":
        return Denied(DenialCode.NOT_A_MANAGER, "a password alone never makes a manager", 60)
    if instance.lifecycle != "on-demand":
        return Denied(
            DenialCode.SPOT_MANAGER,
            f"{instance.id} is a spot instance; managers are on-demand always",
            60,
        )
    if instance.role != Role.MANAGER:
        return Denied(
            DenialCode.NOT_A_MANAGER,
            f"{instance.id} has no tag {TAG_ROLE}=manager",
            60,
        )
    managers = view.managers()
    changing = _manager_change(instance, managers, view, at)
    if changing is not None:
        return Denied(DenialCode.MANAGER_CHANGE, changing, 2)
    if len(managers) >= policy.managers:
        return Denied(
            DenialCode.MANAGERS_COMPLETE,
            f"there are {len(managers)} managers and {policy.managers} are wanted;"
            " remove a lost one first: docker node demote, docker node rm",
            30,
        )
    return None


def _manager_change(
    instance: Instance, managers: tuple[Node, ...], view: View, at: datetime
) -> str | None:
    for other in view.outstanding.values():
        if other.role is Role.MANAGER and other.instance.id != instance.id and other.expires > at:
            return f"{other.instance.id} is joining as a manager; one at a time"
    for node in managers:
        if node.is_ready and node.reachability != "reachable":
            return f"manager {node.hostname} is {node.reachability}; one change at a time"
    return None
