"""How a node leaves: paused, emptied, drained, told to go, removed, its instance terminated.

Rules: all that says how is on the node's labels, so the next leader carries on; a manager is
demoted first, and never when the majority would go; deadlines are kept whatever is not done.
The one action in flight on a node keeps the order.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from leader.moving.evacuate import Manner, manner, to_move
from leader.moving.loan import loan_of
from leader.view.actions import (
    Action,
    ActivateNode,
    DemoteNode,
    DrainNode,
    OrderLeave,
    PauseNode,
    PromoteNode,
    Refuse,
    RemoveNode,
    SettleNode,
    TerminateInstance,
)
from leader.view.ids import NodeId
from leader.view.model import Node, Policy, View
from leader.view.terms import Leaving, Then, drain_by, leave_by, leaving_of
from leader.view.work import Task, Work
from wire.labels import DRAINED, LABEL_LOAN, LABEL_PHASE, LABEL_WAS, LEAVING, RETURNING
from wire.messages import Availability, Role

_ORDER_AGAIN: Final = timedelta(seconds=5)
_FAREWELL_WITHIN: Final = timedelta(seconds=20)
_MANAGER: Final = "manager"


def depart(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    """The next step of every node that leaves or returns."""
    for instance, reason in view.market.ending.items():
        known = view.instances.get(instance)
        if known is not None and known.runs:
            yield TerminateInstance(instance=instance, reason=reason, cause=cause)
    nodes = [node for node in view.nodes.values() if node.phase in {LEAVING, RETURNING}]
    kept_from = _kept_from(view.work) if nodes and view.work is not None else None
    is_changing = any(_is_changing(node, view) for node in nodes)
    for node in nodes:
        for action in _next(node, view, policy, kept_from, cause=cause, at=at):
            if isinstance(action, DemoteNode | PromoteNode):
                if is_changing:
                    continue
                is_changing = True
            yield action


def _is_changing(node: Node, view: View) -> bool:
    """Whether a manager may be becoming a worker right now, or the other way round."""
    was_or_is = node.role is Role.MANAGER or node.labels.get(LABEL_WAS) == _MANAGER
    return was_or_is and f"node {node.id}" in view.in_flight


def _next(
    node: Node,
    view: View,
    policy: Policy,
    kept_from: Collection[NodeId] | None,
    *,
    cause: str,
    at: datetime,
) -> Iterator[Action]:
    is_made_active = node.availability is Availability.ACTIVE and node.role is Role.WORKER
    is_gone = node.status == "down" and leaving_of(node).then is not Then.STAY
    if node.phase == RETURNING or (is_made_active and not is_gone):
        yield from _return(node, kept_from, cause)
    else:
        yield from _leave(node, view, policy, cause, at)


def may_demote(node: Node, view: View) -> str | None:
    """Why a manager may not be demoted now; None when it may."""
    managers = view.managers()
    healthy = [
        other
        for other in managers
        if other.id != node.id and other.is_ready and other.reachability == "reachable"
    ]
    rest = len(managers) - 1
    if not rest:
        return f"{node.hostname} is the only manager"
    if len(healthy) < rest // 2 + 1:
        return (
            f"without {node.hostname} only {len(healthy)} of {rest} managers would answer:"
            " the majority would be lost"
        )
    joining = [one for one in view.outstanding.values() if one.role is Role.MANAGER]
    if joining:
        return f"{joining[0].instance.id} is joining as a manager; one change at a time"
    return None


def _leave(node: Node, view: View, policy: Policy, cause: str, at: datetime) -> Iterator[Action]:
    leaving = leaving_of(node)
    if node.role is Role.MANAGER:
        yield _demotion(node, leaving, view, cause)
        return
    if node.status == "down" and leaving.then is not Then.STAY:
        yield from _gone(node, leaving, cause)
    elif node.availability is Availability.PAUSE:
        yield from _drain(node, leaving, view, policy, cause=cause, at=at)
    else:
        yield from _part(node, leaving, view, policy, cause=cause, at=at)


def _demotion(node: Node, leaving: Leaving, view: View, cause: str) -> Action:
    """Nothing else is done before it is a worker: whatever happens, the majority stays."""
    hindrance = may_demote(node, view)
    if hindrance is not None:
        return Refuse(
            about=f"demoting {node.hostname}",
            reason=f"{node.hostname} is to leave ({leaving.why}) and may not be demoted:"
            f" {hindrance}",
            cause=cause,
        )
    return DemoteNode(
        node=node.id,
        instance=node.instance,
        reason=f"{node.hostname} leaves ({leaving.why}): a manager is demoted first",
        cause=cause,
    )


def _drain(
    node: Node, leaving: Leaving, view: View, policy: Policy, *, cause: str, at: datetime
) -> Iterator[Action]:
    """Drain as soon as nothing is on its way; what is to run to the end holds it up longest."""
    late = at >= drain_by(leaving, policy)
    if view.work is None and not late:
        return
    work = view.work or Work()
    left = to_move(node.id, view, work)
    if left and not late:
        return
    stays = [task for task in work.on(node.id) if task.is_wanted and _runs_on(task, work)]
    if stays and at < leave_by(leaving, policy):
        return
    reason = f"{node.hostname} leaves ({leaving.why}): what could be moved has been"
    if view.work is None:
        reason = f"{node.hostname} leaves ({leaving.why}): no time left to see what runs on it"
    elif left:
        reason = (
            f"{node.hostname} leaves ({leaving.why}) at {leaving.deadline:%H:%M:%S} UTC:"
            f" no time left to move {', '.join(map(work.name, left))}"
        )
    yield DrainNode(
        node=node.id,
        instance=node.instance,
        left=tuple(map(work.name, left)),
        reason=reason,
        cause=cause,
    )


def _runs_on(task: Task, work: Work) -> bool:
    service = work.services.get(task.service)
    return service is not None and manner(service) is Manner.NEVER


def _part(
    node: Node, leaving: Leaving, view: View, policy: Policy, *, cause: str, at: datetime
) -> Iterator[Action]:
    """Drained: wait until it is empty or must go, then let it go."""
    late = at >= leave_by(leaving, policy)
    if view.work is None and not late:
        return
    work = view.work or Work()
    there = tuple(work.name(task) for task in work.on(node.id) if task.is_there)
    if there and not late:
        return
    state = f"{', '.join(there)} still ran" if there else "it is empty"
    if leaving.then is Then.STAY:
        yield SettleNode(
            node=node.id,
            instance=node.instance,
            labels={LABEL_PHASE: DRAINED},
            cut_off=there,
            reason=f"{node.hostname} is drained ({leaving.why}): {state}",
            cause=cause,
        )
        return
    yield from _let_go(node, leaving, view, there, cause=cause, at=at)


def _let_go(
    node: Node,
    leaving: Leaving,
    view: View,
    there: tuple[str, ...],
    *,
    cause: str,
    at: datetime,
) -> Iterator[Action]:
    instance, market = node.instance, view.market
    if instance is None:
        return
    if instance in market.left:
        yield RemoveNode(
            node=node.id,
            instance=instance,
            by_force=True,
            is_departed=True,
            reason=f"{node.hostname} said farewell",
            cause=cause,
        )
        return
    first, last = market.ordered.get(instance, (None, None))
    listener = market.listeners.get(instance)
    is_patient = first is None or at - first < _FAREWELL_WITHIN
    if last is not None and is_patient and at - last < _ORDER_AGAIN:
        return
    if listener is not None and is_patient:
        if at >= listener.until:
            # Between two of its questions: the next is on its way.
            return
        yield OrderLeave(
            node=node.id,
            instance=instance,
            listener=listener,
            cut_off=there,
            reason=f"{node.hostname} may leave now: "
            + (f"{', '.join(there)} could not end in time" if there else "it is empty"),
            cause=cause,
        )
        return
    if leaving.then is Then.TERMINATE:
        known = view.instances.get(instance)
        if known is not None and known.runs:
            yield TerminateInstance(
                instance=instance,
                cut_off=there,
                reason=f"{node.hostname} is drained ({leaving.why}), and its agent does not wait"
                " for our word",
                cause=cause,
            )


def _gone(node: Node, leaving: Leaving, cause: str) -> Iterator[Action]:
    """The swarm does not hear it any more: AWS was faster, or it left as told."""
    yield RemoveNode(
        node=node.id,
        instance=node.instance,
        is_departed=True,
        reason=f"{node.hostname} was leaving ({leaving.why}) and is Down",
        cause=cause,
    )


def _return(node: Node, kept_from: Collection[NodeId] | None, cause: str) -> Iterator[Action]:
    """Not before the constraints that name it are gone: they would have its tasks stopped.

    `kept_from`: the nodes that loans keep tasks from, None if they are not known.
    """
    if node.labels.get(LABEL_WAS) == _MANAGER and node.role is Role.WORKER:
        if not node.is_ready:
            # Activated before, it would never be a manager again.
            return
        yield PromoteNode(
            node=node.id,
            instance=node.instance,
            reason=f"{node.hostname} was a manager before it was drained",
            cause=cause,
        )
        return
    if kept_from is None or node.id in kept_from:
        return
    yield ActivateNode(
        node=node.id,
        instance=node.instance,
        reason=f"{node.hostname} takes tasks again",
        cause=cause,
    )


def _kept_from(work: Work) -> frozenset[NodeId]:
    """The nodes a loan keeps tasks from."""
    loans = [loan_of(one) for one in work.services.values() if LABEL_LOAN in one.labels]
    return frozenset(node for loan in loans if loan is not None for node in loan.away_from)


def pause(node: Node, leaving: Leaving, *, reason: str, cause: str) -> PauseNode:
    """Begin, or begin anew with an earlier deadline: a drained node stays drained."""
    was: Mapping[str, str] = {LABEL_WAS: _MANAGER} if node.role is Role.MANAGER else {}
    return PauseNode(
        node=node.id,
        instance=node.instance,
        labels=leaving.labels() | dict(was if leaving.then is Then.STAY else {}),
        is_drained=node.availability is Availability.DRAIN,
        reason=reason,
        cause=cause,
    )
