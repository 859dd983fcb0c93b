"""Who gets a join token, and which: the only place that decides it.

Rule: a manager's token is the cluster's root password. It goes only to an on-demand instance with
the role tag `manager`, while managers are missing and no other manager change is under way. Spot
instances only ever get a worker's token: AWS could interrupt two of three managers at once, and the
cluster would be lost.
"""

from datetime import datetime

from leader.view.model import Ask, Denied, Identity, Instance, Node, Policy, View
from wire.labels import TAG_CLUSTER, TAG_ROLE
from wire.messages import DenialCode, Role

_JOINABLE_STATES = ("pending", "running")


def admit(ask: Ask, view: View, policy: Policy, at: datetime) -> Denied | None:
    """Decide one proven request: None admits it in the role that it asks for.

    A denial whose cause soon passes has a short `retry_after_seconds`.
    """
    denied = _belongs(ask.identity, policy)
    if denied is not None:
        return denied
    if view.nodes_at is None or at - view.nodes_at > policy.nodes_stale_after:
        return Denied(DenialCode.NOT_READY, "the swarm's nodes have not been listed recently", 2)
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
            f"the identity mode is {identity.mode}; this cluster uses {policy.identity}",
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
    """A Ready node never asks, so a container may be using its host's credentials."""
    for node in view.nodes.values():
        if node.is_ready and (node.instance == instance.id or node.address == instance.address):
            return Denied(
                DenialCode.ALREADY_JOINED,
                f"{instance.id} is already node {node.hostname}, which is Ready",
                3,
            )
    return None


def _is_going(instance: Instance, view: View) -> Denied | None:
    """An instance that AWS or we are about to terminate may not come back first."""
    name = instance.id
    if name in view.notices.to_terminate or view.notices.of(name, "interruption") is not None:
        return Denied(DenialCode.LEAVING, f"{name} is about to be terminated", 30)
    return None


def _may_manage(identity: Identity, view: View, policy: Policy, at: datetime) -> Denied | None:
    instance = identity.instance
    if identity.mode != "aws":
        return Denied(
            DenialCode.NOT_A_MANAGER, "managers need an AWS identity; a password is not enough", 60
        )
    if instance.lifecycle != "on-demand":
        return Denied(
            DenialCode.SPOT_MANAGER,
            f"{instance.id} is a Spot instance; managers must be on-demand",
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
            f"there are {len(managers)} of {policy.managers} managers;"
            " remove a lost one first: docker node demote, docker node rm",
            30,
        )
    return None


def _manager_change(
    instance: Instance, managers: tuple[Node, ...], view: View, at: datetime
) -> str | None:
    for other in view.outstanding.values():
        if other.role is Role.MANAGER and other.instance.id != instance.id and other.expires > at:
            return f"{other.instance.id} is joining as a manager; only one may join at a time"
    for node in managers:
        if node.is_ready and node.reachability != "reachable":
            return f"manager {node.hostname} is {node.reachability}; only one may change at a time"
    return None
