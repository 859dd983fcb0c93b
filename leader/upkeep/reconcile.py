"""Removes nodes without an EC2 instance, and instances without a node.

Rules: remove nothing unless the lists of nodes and instances are both recent. At most
`removals_at_once` are removed in a round. What EC2 itself calls terminated is always removed, and
comes first. Everything else is in doubt: if more of one group are due than are allowed, remove none
of that group and log an error, because the leader's view may be wrong. One group's doubt never
delays another group.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from leader.upkeep.candidates import Candidate, Group, candidates, unbound_nodes
from leader.view.actions import Action, Refuse
from leader.view.moment import Moment

_DOUBTFUL: Final = (Group.MISSING, Group.SILENT, Group.ORPHANS)
_SEEM: Final = {
    Group.MISSING: (
        "nodes seem to be gone at once: they are Down, and EC2 lists none of their instances as"
        " running, but does not call them terminated"
    ),
    Group.SILENT: "nodes are Down at once although their instances are running",
    Group.ORPHANS: "instances run at once without being nodes of the swarm",
}
_REMEDIES: Final = {
    Group.MISSING: "If they really are gone, remove them with `docker node rm`",
    Group.SILENT: "Check the network between the managers and these nodes; if the instances are"
    " broken, terminate them",
    Group.ORPHANS: "Run `spotswarm joins` to see why they do not join; if they are not needed,"
    " terminate them",
}


def reconcile(moment: Moment) -> Iterator[Action]:
    """Yield the removals that are due, and a `Refuse` action for each group that is in doubt."""
    census = moment.view.census
    if not _are_lists_fresh(moment) or not (census.down or census.apart):
        return
    due: dict[Group, list[Candidate]] = {}
    for candidate in candidates(moment):
        if candidate.is_due:
            due.setdefault(candidate.group, []).append(candidate)
    allowed = [*due.get(Group.ENDED, ())]
    for group in _DOUBTFUL:
        members = due.get(group, [])
        refusal = _refusal(group, members, moment) if members else None
        if refusal is None:
            allowed += members
        else:
            yield refusal
    yield from _this_round(allowed, moment)


def _are_lists_fresh(moment: Moment) -> bool:
    view, policy, at = moment.view, moment.policy, moment.at
    return (
        policy.identity == "aws"
        and view.nodes_at is not None
        and view.instances_at is not None
        and at - view.nodes_at <= policy.nodes_stale_after
        and at - view.instances_at <= 2 * policy.instances_every
    )


def _this_round(allowed: Sequence[Candidate], moment: Moment) -> Iterator[Action]:
    """Yield as many of the removals as this round still has room for, in the given order."""
    view, policy, at = moment.view, moment.policy, moment.at
    removals = [candidate.removal for candidate in allowed]
    recent = sum(1 for when in view.census.removed if at - when < policy.removal_round)
    under_way = sum(1 for removal in removals if removal.subject in view.in_flight)
    room = policy.removals_at_once - recent - under_way
    for removal in removals:
        setback = view.setbacks.get(removal.subject)
        if removal.subject in view.in_flight or (setback is not None and at < setback.until):
            continue
        if room <= 0:
            return
        room -= 1
        yield removal


def _refusal(group: Group, members: Sequence[Candidate], moment: Moment) -> Refuse | None:
    """Return why none of the group's members is removed, or None if they may be removed."""
    policy = moment.policy
    nodes = tuple(member.node for member in members if member.node is not None)
    instances = tuple(member.instance for member in members)
    if len(members) > policy.removals_at_once:
        return Refuse(
            about=f"removals ({group.value})",
            nodes=nodes,
            instances=instances,
            reason=f"{len(members)} {_SEEM[group]}; at most {policy.removals_at_once} may be"
            f" removed in {policy.removal_round.seconds} s, so none of them is removed."
            f" {_REMEDIES[group]}, or raise removals_at_once."
            f" The first removal: {members[0].removal.reason}",
        )
    unbound = unbound_nodes(moment.view) if group is Group.ORPHANS else ()
    if unbound:
        hosts = ", ".join(sorted(node.hostname for node in unbound)[:3])
        return Refuse(
            about=f"removals ({group.value})",
            nodes=tuple(node.id for node in unbound),
            instances=instances,
            reason=f"{', '.join(instances)} should be terminated for not being a node, but"
            f" {hosts} is in the swarm without a known instance and may be that instance, so"
            " nothing is terminated. Find out with `docker node inspect` which address the node"
            " has; then drain and remove the node, or terminate the instance",
        )
    return None
