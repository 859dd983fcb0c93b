"""Updates the view when a list arrives or an action ends. This module makes no decisions.

Rule: ignore a list that was requested before the leader's latest change, because the list may not
show the change.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from leader.view.actions import (
    Action,
    ActivateNode,
    ChangeService,
    DeleteNotices,
    DemoteNode,
    DenyJoin,
    DrainNode,
    GrantJoin,
    LabelNode,
    NodeAction,
    OrderLeave,
    PauseNode,
    ProbeNode,
    PromoteNode,
    Refuse,
    RemoveNode,
    ReplaceInstance,
    ReportFault,
    RotateToken,
    SetHeartbeat,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import InstancesListed, NodesListed, WorkListed
from leader.view.ids import InstanceId, NodeId
from leader.view.model import Instance, Node, Policy, Setback, View
from leader.view.notices import Notices
from leader.view.rows import never_read, with_last_known
from leader.view.terms import Then, leaving_of
from leader.view.work import Work
from wire.labels import LEAVING, PHASE_LABELS
from wire.messages import Availability, Role

_FIRST_SETBACK: Final = timedelta(seconds=1)
_LONGEST_SETBACK: Final = timedelta(minutes=1)
_LONGEST_WHEN_LEAVING: Final = timedelta(seconds=4)
_FLEET_SETBACK: Final = timedelta(minutes=5)
_HOUR: Final = timedelta(hours=1)
_REPORT_AGAIN: Final = timedelta(minutes=1)


def nodes_listed(view: View, event: NodesListed) -> View:
    """Replace the list of nodes, and drop the token grants of instances whose nodes are Ready."""
    if _is_outdated(event.requested_at, view.nodes_from):
        return view
    nodes, at = with_last_known(event.nodes, event.unread, view.nodes), event.at
    ready = {node.id for node in nodes if node.is_ready}
    arrived = {node.instance for node in nodes if node.is_ready}
    has_grown = any(node.takes_tasks and not _took_tasks(view, node.id) for node in nodes)
    census = view.census.see_nodes(
        ready=ready,
        # What was Down before its row became unreadable may be Ready by now.
        down=[node.id for node in nodes if node.status == "down" and node.id not in event.unread],
        at=at,
    )
    return replace(
        view,
        nodes={node.id: node for node in nodes},
        nodes_at=at,
        nodes_unread=never_read(event.unread, view.nodes),
        heartbeat=event.heartbeat or view.heartbeat,
        census=census,
        notices=_without_returned(view.notices, nodes),
        moves=replace(view.moves, node_added_at=at) if has_grown else view.moves,
        outstanding={
            instance: granted
            for instance, granted in view.outstanding.items()
            if instance not in arrived
        },
        probed=view.probed & {node.id for node in nodes if node.is_joining},
    )


def _is_outdated(requested_at: datetime | None, changed_at: datetime | None) -> bool:
    return requested_at is not None and changed_at is not None and requested_at < changed_at


def _without_returned(notices: Notices, nodes: tuple[Node, ...]) -> Notices:
    """Forget that an instance has left if it has joined again, for example after a restart."""
    if not notices.departed:
        return notices
    joined = {node.instance: node.created for node in nodes if node.is_ready and node.instance}
    departed = {
        name: when for name, when in notices.departed.items() if joined.get(name, when) <= when
    }
    if len(departed) == len(notices.departed):
        return notices
    return replace(notices, departed=departed)


def _took_tasks(view: View, node: NodeId) -> bool:
    known = view.nodes.get(node)
    return known is not None and known.takes_tasks


def instances_listed(view: View, event: InstancesListed) -> View:
    """Replace the list of instances, and record which instances are missing.

    Notices about instances that no longer exist are dropped. If the list has an instance whose id
    could not be read, only those count as missing that EC2 itself has called terminated.
    """
    listed = with_last_known(event.instances, event.unread, view.instances)
    instances = {each.id: each for each in listed if each.state != "terminated"}
    bound = {node.instance: node for node in view.nodes.values() if node.instance is not None}
    ready = {node.instance for node in view.nodes.values() if node.is_ready}
    ended = bound.keys() & (view.census.ended | _ended(event.instances))
    census = view.census.see_instances(
        missing=[
            name
            for name in bound
            if (name not in instances or not instances[name].runs)
            and (name in ended or {name, ""}.isdisjoint(event.unread))
        ],
        apart=[
            name
            for name, each in instances.items()
            if each.runs and name not in ready and name not in event.unread
        ],
        ended=ended,
        at=event.at,
    )
    notices = view.notices
    known = {*notices.standing, *notices.to_terminate, *notices.departed, *notices.ordered}
    for name in known - instances.keys() - bound.keys() - set(event.unread):
        if "" not in event.unread:
            notices = notices.without(name)
    return replace(view, instances=instances, instances_at=event.at, census=census, notices=notices)


def _ended(instances: Iterable[Instance]) -> set[InstanceId]:
    """Return the instances that EC2 has terminated, or is terminating for good."""
    return {each.id for each in instances if each.state in {"terminated", "shutting-down"}}


def work_listed(view: View, event: WorkListed) -> View:
    """Replace the lists of services and tasks."""
    if _is_outdated(event.requested_at, view.work_from):
        return view
    work = Work.of(event.services, event.tasks, is_complete=event.is_complete)
    return replace(view, work=work)


def done(view: View, action: Action, at: datetime, policy: Policy) -> View:
    """Return the view after an action has succeeded."""
    setbacks = {
        subject: setback for subject, setback in view.setbacks.items() if subject != action.subject
    }
    view = replace(view, setbacks=setbacks)
    match action:
        case ProbeNode(node=node):
            return replace(view, probed=view.probed | {node})
        case RotateToken(role=Role.MANAGER):
            return replace(view, tokens=replace(view.tokens, is_manager_used=False))
        case RotateToken(role=Role.WORKER):
            return replace(view, tokens=replace(view.tokens, worker_grants=0, worker_rotated=at))
        case SetHeartbeat(period=period):
            return replace(view, heartbeat=period)
        case ChangeService():
            return _service_changed(view, action, at)
        case TerminateInstance():
            return _terminated(view, action, at, policy)
        case DeleteNotices(receipts=receipts):
            return replace(view, notices=view.notices.deleted(receipts))
        case ReplaceInstance(instance=instance):
            replacements = {**view.notices.replacements, instance: at}
            return replace(view, notices=replace(view.notices, replacements=replacements))
        case Refuse() | ReportFault():
            return _reported(view, action, at)
        case OrderLeave(instance=instance) if instance is not None:
            first, _ = view.notices.ordered.get(instance, (at, at))
            ordered = {**view.notices.ordered, instance: (first, at)}
            return replace(view, notices=replace(view.notices, ordered=ordered))
        case (
            LabelNode()
            | ActivateNode()
            | PauseNode()
            | DrainNode()
            | DemoteNode()
            | PromoteNode()
            | SettleNode()
            | RemoveNode()
        ):
            return _node_changed(view, action, at, policy)
    return view


def _reported(view: View, action: Refuse | ReportFault, at: datetime) -> View:
    """Repeat a report only after a pause."""
    again = timedelta(minutes=10) if isinstance(action, Refuse) else _REPORT_AGAIN
    return replace(view, setbacks={**view.setbacks, action.subject: Setback(1, at + again)})


def _service_changed(view: View, action: ChangeService, at: datetime) -> View:
    moves = view.moves
    if action.is_failure:
        before = moves.stuck.get(action.service)
        times = 1 if before is None else before.times + 1
        moves = replace(moves, stuck={**moves.stuck, action.service: Setback(times, at + _HOUR)})
    if action.label is not None and view.work is not None:
        service = view.work.services.get(action.service)
        if service is not None and action.replicas > service.replicas:
            recent = (entry for entry in moves.rebalanced if at - entry[0] < _HOUR)
            wishes = moves.rebalance_wishes.items()
            moves = replace(
                moves,
                rebalanced=(*recent, (at, action.replicas - service.replicas)),
                rebalance_wishes={key: when for key, when in wishes if key != action.service},
            )
    return replace(view, moves=moves, work=None, work_from=at)


def _terminated(view: View, action: TerminateInstance, at: datetime, policy: Policy) -> View:
    census = view.census
    if action.keeps_console:
        census = census.remove(at, policy.removal_round)
    known = view.instances.get(action.instance)
    instances = dict(view.instances)
    if known is not None:
        instances[action.instance] = replace(known, state="shutting-down")
    remaining = {
        key: why for key, why in view.notices.to_terminate.items() if key != action.instance
    }
    notices = replace(view.notices, to_terminate=remaining)
    return replace(view, census=census, instances=instances, notices=notices)


def _node_changed(view: View, action: NodeAction, at: datetime, policy: Policy) -> View:
    view = replace(view, nodes_from=at)
    known = view.nodes.get(action.node)
    moves = view.moves
    if action.node in moves.wishes and isinstance(action, PauseNode | ActivateNode):
        wishes = {node: wish for node, wish in moves.wishes.items() if node != action.node}
        moves = replace(moves, wishes=wishes)
    if isinstance(action, ActivateNode) and not action.is_drained:
        moves = replace(moves, node_added_at=at)
    view = replace(view, moves=moves)
    if isinstance(action, PauseNode | DrainNode):
        # An earlier list may lack tasks that Swarm has placed on the node since.
        view = replace(view, work=None, work_from=at)
    if isinstance(action, RemoveNode):
        return _removed(view, action, at, policy)
    if known is None:
        return view
    return replace(view, nodes={**view.nodes, action.node: _changed(known, action)})


def _changed(node: Node, action: NodeAction) -> Node:
    match action:
        case LabelNode(labels=labels) | SettleNode(labels=labels):
            return replace(node, labels={**node.labels, **labels})
        case PauseNode(labels=labels, is_drained=is_drained):
            availability = node.availability if is_drained else Availability.PAUSE
            return replace(node, labels={**node.labels, **labels}, availability=availability)
        case ActivateNode(is_drained=is_drained):
            labels = {key: text for key, text in node.labels.items() if key not in PHASE_LABELS}
            availability = node.availability if is_drained else Availability.ACTIVE
            return replace(node, labels=labels, availability=availability)
        case DrainNode():
            return replace(node, availability=Availability.DRAIN)
        case DemoteNode():
            return replace(node, role=Role.WORKER, is_leader=False, reachability=None)
        case PromoteNode():
            return replace(node, role=Role.MANAGER)
    return node


def _removed(view: View, action: RemoveNode, at: datetime, policy: Policy) -> View:
    """Remove a node from the view, and record whether its instance must now be terminated."""
    known = view.nodes.get(action.node)
    nodes = {name: node for name, node in view.nodes.items() if name != action.node}
    census, notices = view.census, view.notices
    if not action.is_departed:
        census = census.remove(at, policy.removal_round)
    instance = action.instance
    if instance is not None and known is not None and known.phase == LEAVING:
        leaving = leaving_of(known)
        notices = notices.without(instance)
        left = view.instances.get(instance)
        if leaving.then is Then.TERMINATE and left is not None and left.is_of(policy.cluster):
            reason = f"{known.hostname} has left the swarm ({leaving.why})"
            to_terminate = {**notices.to_terminate, instance: reason}
            notices = replace(notices, to_terminate=to_terminate)
    return replace(view, nodes=nodes, census=census, notices=notices)


def failed(view: View, action: Action, at: datetime) -> View:
    """Return the view after an action has failed. Most actions are retried after a pause.

    A failed grant or denial is not retried, because the agent sends another request.
    """
    if isinstance(action, GrantJoin | DenyJoin):
        outstanding = {
            instance: granted
            for instance, granted in view.outstanding.items()
            if not (isinstance(action, GrantJoin) and instance == action.instance.id)
        }
        return replace(view, outstanding=outstanding)
    if isinstance(action, DeleteNotices):
        # The queue delivers the messages again with new receipts.
        return replace(view, notices=view.notices.deleted(action.receipts))
    if isinstance(action, ChangeService):
        view = replace(view, work=None, work_from=at)
    before = view.setbacks.get(action.subject)
    times = 1 if before is None else before.times + 1
    longest = _LONGEST_SETBACK
    if isinstance(action, ChangeService) or _is_leaving(view, action):
        # A two-minute notice leaves no time for long pauses.
        longest = _LONGEST_WHEN_LEAVING
    pause = min(_FIRST_SETBACK * 2 ** min(times - 1, 10), longest)
    if isinstance(action, ReplaceInstance):
        pause = _FLEET_SETBACK
    return replace(view, setbacks={**view.setbacks, action.subject: Setback(times, at + pause)})


def _is_leaving(view: View, action: Action) -> bool:
    node: NodeId | None = getattr(action, "node", None)
    if isinstance(action, PauseNode):
        return True
    return node is not None and node in view.nodes and view.nodes[node].phase == LEAVING
