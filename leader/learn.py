"""What a list, or an action that was done, changes in the view. No decision is made here.

Rule: a list asked for before a change of ours was done does not show it, and is dropped.
"""

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
    RotateToken,
    SetHeartbeat,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import InstancesListed, NodesListed, WorkListed
from leader.view.ids import NodeId
from leader.view.model import Node, Policy, Setback, View
from leader.view.notices import Market
from leader.view.terms import Then, leaving_of
from leader.view.work import Work
from wire.labels import LEAVING, PHASE_LABELS
from wire.messages import Availability, Role

_FIRST_SETBACK: Final = timedelta(seconds=1)
_LONGEST_SETBACK: Final = timedelta(minutes=1)
_LONGEST_WHEN_LEAVING: Final = timedelta(seconds=4)
_FLEET_SETBACK: Final = timedelta(minutes=5)
_HOUR: Final = timedelta(hours=1)


def nodes_listed(view: View, event: NodesListed) -> View:
    """Take a list of nodes; a grant is used up when its instance's node is bound and Ready."""
    if event.asked is not None and view.nodes_from is not None and event.asked < view.nodes_from:
        return view
    nodes, at = event.nodes, event.at
    ready = {node.id for node in nodes if node.is_ready}
    arrived = {node.instance for node in nodes if node.is_ready}
    grown = any(node.takes_tasks and not _took_tasks(view, node.id) for node in nodes)
    census = view.census.see_nodes(
        ready=ready, down=[node.id for node in nodes if node.status == "down"], at=at
    )
    return replace(
        view,
        nodes={node.id: node for node in nodes},
        nodes_at=at,
        heartbeat=event.heartbeat or view.heartbeat,
        census=census,
        market=_without_returned(view.market, nodes),
        moves=replace(view.moves, grown=at) if grown else view.moves,
        outstanding={
            instance: granted
            for instance, granted in view.outstanding.items()
            if instance not in arrived
        },
        probed=view.probed & {node.id for node in nodes if node.is_joining},
    )


def _without_returned(market: Market, nodes: tuple[Node, ...]) -> Market:
    """A stopped instance keeps its name: one that left may be started, and be a member again."""
    if not market.left:
        return market
    joined = {node.instance: node.created for node in nodes if node.is_ready and node.instance}
    left = {name: when for name, when in market.left.items() if joined.get(name, when) <= when}
    return market if len(left) == len(market.left) else replace(market, left=left)


def _took_tasks(view: View, node: NodeId) -> bool:
    known = view.nodes.get(node)
    return known is not None and known.takes_tasks


def instances_listed(view: View, event: InstancesListed) -> View:
    """Take EC2's list: who is gone is counted, and what was announced of them forgotten."""
    instances = {instance.id: instance for instance in event.instances}
    bound = {node.instance: node for node in view.nodes.values() if node.instance is not None}
    ready = {name for name, node in bound.items() if node.is_ready}
    census = view.census.see_instances(
        missing=[name for name in bound if name not in instances or not instances[name].runs],
        apart=[name for name, one in instances.items() if one.runs and name not in ready],
        at=event.at,
    )
    market = view.market
    known = {*market.notices, *market.ending, *market.left, *market.ordered}
    for name in known - instances.keys() - bound.keys():
        market = market.forget(name)
    return replace(view, instances=instances, instances_at=event.at, census=census, market=market)


def work_listed(view: View, event: WorkListed) -> View:
    """Take lists of services and tasks."""
    if event.asked is not None and view.work_from is not None and event.asked < view.work_from:
        return view
    return replace(view, work=Work.of(event.services, event.tasks))


def done(view: View, action: Action, at: datetime, policy: Policy) -> View:
    """What is so now that an action was carried out."""
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
            return replace(view, market=view.market.handled(receipts))
        case ReplaceInstance(instance=instance):
            asked = {**view.market.replacements, instance: at}
            return replace(view, market=replace(view.market, replacements=asked))
        case Refuse(about=about):
            pause = Setback(1, at + timedelta(minutes=10))
            view = replace(view, setbacks={**view.setbacks, action.subject: pause})
            if about == "removals":
                view = replace(view, census=replace(view.census, refused=at))
            return view
        case OrderLeave(instance=instance) if instance is not None:
            first, _ = view.market.ordered.get(instance, (at, at))
            ordered = {**view.market.ordered, instance: (first, at)}
            return replace(view, market=replace(view.market, ordered=ordered))
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


def _service_changed(view: View, action: ChangeService, at: datetime) -> View:
    moves = view.moves
    if action.is_failure:
        held = moves.stuck.get(action.service)
        times = 1 if held is None else held.times + 1
        moves = replace(moves, stuck={**moves.stuck, action.service: Setback(times, at + _HOUR)})
    if action.label is not None and view.work is not None:
        before = view.work.services.get(action.service)
        if before is not None and action.replicas > before.replicas:
            spent = (at, action.replicas - before.replicas)
            moves = replace(
                moves,
                spread=(*(one for one in moves.spread if at - one[0] < _HOUR), spent),
                asked={key: at for key, at in moves.asked.items() if key != action.service},
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
    ending = {key: why for key, why in view.market.ending.items() if key != action.instance}
    return replace(
        view, census=census, instances=instances, market=replace(view.market, ending=ending)
    )


def _node_changed(view: View, action: NodeAction, at: datetime, policy: Policy) -> View:
    view = replace(view, nodes_from=at)
    known = view.nodes.get(action.node)
    moves = view.moves
    if action.node in moves.wishes and isinstance(action, PauseNode | ActivateNode):
        wishes = {node: wish for node, wish in moves.wishes.items() if node != action.node}
        moves = replace(moves, wishes=wishes)
    if isinstance(action, ActivateNode):
        moves = replace(moves, grown=at)
    view = replace(view, moves=moves)
    if isinstance(action, PauseNode | DrainNode):
        # What was listed before may miss tasks placed on it meanwhile.
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
            kept = node.availability if is_drained else Availability.PAUSE
            return replace(node, labels={**node.labels, **labels}, availability=kept)
        case ActivateNode():
            labels = {key: text for key, text in node.labels.items() if key not in PHASE_LABELS}
            return replace(node, labels=labels, availability=Availability.ACTIVE)
        case DrainNode():
            return replace(node, availability=Availability.DRAIN)
        case DemoteNode():
            return replace(node, role=Role.WORKER, is_leader=False, reachability=None)
        case PromoteNode():
            return replace(node, role=Role.MANAGER)
    return node


def _removed(view: View, action: RemoveNode, at: datetime, policy: Policy) -> View:
    """A node that left in order leaves its instance to be ended, if that was the plan."""
    known = view.nodes.get(action.node)
    nodes = {name: node for name, node in view.nodes.items() if name != action.node}
    census, market = view.census, view.market
    if not action.is_departed:
        census = census.remove(at, policy.removal_round)
    instance = action.instance
    if instance is not None and known is not None and known.phase == LEAVING:
        leaving = leaving_of(known)
        market = market.forget(instance)
        if leaving.then is Then.TERMINATE and view.instances.get(instance) is not None:
            reason = f"{known.hostname} has left the swarm ({leaving.why}) and ends"
            market = replace(market, ending={**market.ending, instance: reason})
    return replace(view, nodes=nodes, census=census, market=market)


def failed(view: View, action: Action, at: datetime) -> View:
    """A failed grant or denial is asked for again; anything else is tried again later."""
    if isinstance(action, GrantJoin | DenyJoin):
        outstanding = {
            instance: granted
            for instance, granted in view.outstanding.items()
            if not (isinstance(action, GrantJoin) and instance == action.instance.id)
        }
        return replace(view, outstanding=outstanding)
    if isinstance(action, DeleteNotices):
        # They come again by themselves, with other receipts.
        return replace(view, market=view.market.handled(action.receipts))
    if isinstance(action, ChangeService):
        view = replace(view, work=None, work_from=at)
    before = view.setbacks.get(action.subject)
    times = 1 if before is None else before.times + 1
    longest = _LONGEST_SETBACK
    if isinstance(action, ChangeService) or _is_leaving(view, action):
        # A two-minute notice leaves no time for patience.
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
