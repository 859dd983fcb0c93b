"""Decides which instances get a join token, and for which role.

Rule: be strict with manager tokens, which give full control of the cluster. The leader grants a
manager token only if a manager is missing and no other manager is joining or unreachable. The
instance must be on-demand and have the role tag `manager`. Spot instances get only worker tokens.
If managers ran on Spot, AWS could interrupt two of three managers at the same time, and the swarm
would lose quorum.
"""

from datetime import datetime

from leader.view.model import Ask, Denied, Identity, Instance, Node, Policy, View
from wire.labels import TAG_CLUSTER, TAG_ROLE
from wire.messages import DenialCode, Role

_JOINABLE_STATES = ("pending", "running")


def admit(ask: Ask, view: View, policy: Policy, at: datetime) -> Denied | None:
    """Return why a verified sender's request is denied, or None to admit the instance.

    `retry_after_seconds` is short if the problem is likely to be temporary.
    """
    denied = _belongs(ask.identity, policy)
    if denied is not None:
        return denied
    if view.nodes_at is None or at - view.nodes_at > policy.nodes_stale_after:
        return Denied(DenialCode.NOT_READY, "the leader has no recent list of the swarm's nodes", 2)
    denied = _is_absent(ask.identity.instance, view) or _is_going(ask.identity.instance, view)
    if denied is not None:
        return denied
    if ask.role is Role.MANAGER:
        denied = _may_manage(ask.identity, view, policy, at)
        if denied is not None:
            return denied
    return _is_reachable(view)


def _is_reachable(view: View) -> Denied | None:
    """Deny requests while no manager can take a join, such as right after a Raft election."""
    if view.join_addresses():
        return None
    return Denied(DenialCode.NOT_READY, "no manager is Ready, so no instance can join now", 2)


def _belongs(identity: Identity, policy: Policy) -> Denied | None:
    if identity.mode != policy.identity:
        return Denied(
            DenialCode.IDENTITY_MODE,
            f"the request uses the identity mode {identity.mode}, but this cluster uses"
            f" {policy.identity}",
            60,
        )
    instance = identity.instance
    if instance.cluster != policy.cluster:
        return Denied(
            DenialCode.NOT_IN_CLUSTER,
            f"{instance.id} does not have the tag {TAG_CLUSTER}={policy.cluster}",
            30,
        )
    if instance.state not in _JOINABLE_STATES:
        return Denied(
            DenialCode.NOT_RUNNING, f"the EC2 state of {instance.id} is {instance.state}", 30
        )
    return None


def _is_absent(instance: Instance, view: View) -> Denied | None:
    """Deny a request from an instance whose node is not Down; a container there may have sent it.

    A node is `unknown` after an election and `disconnected` for a moment. Its engine, and a program
    with the instance's credentials, may run all the same.
    """
    for node in view.nodes.values():
        is_same = node.instance == instance.id or node.address in instance.addresses
        if is_same and not node.is_down:
            return Denied(
                DenialCode.ALREADY_JOINED,
                f"{instance.id} has already joined as {node.hostname}, which is"
                f" {node.status.capitalize()}",
                3,
            )
    return None


def _is_going(instance: Instance, view: View) -> Denied | None:
    """Deny an instance that AWS or the leader is about to terminate."""
    name = instance.id
    if name in view.notices.to_terminate or view.notices.of(name, "interruption") is not None:
        return Denied(DenialCode.LEAVING, f"{name} is about to be terminated", 30)
    return None


def _may_manage(identity: Identity, view: View, policy: Policy, at: datetime) -> Denied | None:
    instance = identity.instance
    if identity.mode != "aws":
        return Denied(
            DenialCode.NOT_A_MANAGER,
            "a manager must prove its identity with AWS; a password is not enough",
            60,
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
            f"{instance.id} does not have the tag {TAG_ROLE}=manager",
            60,
        )
    if view.nodes_unread:
        return Denied(
            DenialCode.NOT_READY,
            "a node in the swarm's list cannot be read, and may be a manager",
            10,
        )
    managers = view.managers()
    changing = _manager_change(instance, managers, view, at)
    if changing is not None:
        return Denied(DenialCode.MANAGER_CHANGE, changing, 2)
    if len(managers) >= policy.managers:
        return Denied(
            DenialCode.MANAGERS_COMPLETE,
            f"there are already {len(managers)} of {policy.managers} managers;"
            " to replace a lost manager, first remove it with `docker node demote` and"
            " `docker node rm`",
            30,
        )
    return None


def _manager_change(
    instance: Instance, managers: tuple[Node, ...], view: View, at: datetime
) -> str | None:
    for other in view.outstanding.values():
        if other.role is Role.MANAGER and other.instance.id != instance.id and other.expires > at:
            return (
                f"{other.instance.id} is joining as a manager; only one manager may join at a time"
            )
    for node in managers:
        if not node.is_down and node.reachability != "reachable":
            return (
                f"manager {node.hostname} is {node.reachability};"
                " only one manager may change at a time"
            )
    return None
