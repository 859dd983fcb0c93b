"""decide(view, event, policy) -> (view, actions): the leader's every answer.

Rule: the shell does what it is told and tells what came of it; it never changes the view.
An action is in flight from the moment it is decided until its `Done` or `Failed`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from leader.actions import (
    Action,
    ActivateNode,
    DenyJoin,
    GrantJoin,
    LabelNode,
    ProbeNode,
    RotateToken,
)
from leader.admission import admit
from leader.events import (
    Done,
    Event,
    Failed,
    InstancesListed,
    JoinAsked,
    JoinUnproven,
    NodesListed,
    Ticked,
)
from leader.model import (
    LABEL_PHASE,
    Asker,
    Instance,
    Node,
    Outstanding,
    Policy,
    Setback,
    Tokens,
    View,
)
from leader.reconcile import reconcile
from wire.messages import Availability, Role

_FIRST_SETBACK = timedelta(seconds=1)
_LONGEST_SETBACK = timedelta(minutes=1)


def first_view() -> View:
    """What a leader starts from: it cannot know who was granted what before it."""
    return View(tokens=Tokens(is_manager_used=True))


def decide(view: View, event: Event, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """Answer one event: what the world looks like now, and what to do about it."""
    answers: tuple[Action, ...] = ()
    match event:
        case JoinAsked():
            view, answer = _asked(view, event, policy)
            answers = (answer,)
        case JoinUnproven(asker=asker, denied=denied):
            answers = (DenyJoin(asker=asker, denied=denied, cause=event.id),)
        case NodesListed(nodes=nodes, at=at):
            view = _nodes_listed(view, nodes, at)
        case InstancesListed(instances=instances, at=at):
            view = replace(
                view,
                instances={instance.instance: instance for instance in instances},
                instances_at=at,
            )
        case Ticked():
            pass
        case Done(action=action, at=at):
            view = _done(_landed(view, action), action, at)
        case Failed(action=action, at=at):
            view = _failed(_landed(view, action), action, at)
        case _:
            raise TypeError(f"no decision is made on {type(event).__name__}")
    view = _expired(view, event.at)
    actions = (*answers, *reconcile(view, policy, cause=event.id, at=event.at))
    taken = view.in_flight | {action.subject for action in actions}
    return replace(view, in_flight=taken), actions


def _asked(view: View, event: JoinAsked, policy: Policy) -> tuple[View, GrantJoin | DenyJoin]:
    ask = event.ask
    instance = ask.identity.instance
    asker = Asker(
        ask.nonce, ask.reply, ask.key, ask.role, ask.opened_by, instance=instance.instance
    )
    denied = admit(ask, view, policy, event.at)
    if denied is not None:
        return view, DenyJoin(asker=asker, denied=denied, cause=event.id)
    expires = event.at + policy.grant_lifetime
    view = replace(
        view,
        instances={**view.instances, instance.instance: instance},
        outstanding={
            **view.outstanding,
            instance.instance: Outstanding(instance, ask.role, ask.key, expires),
        },
        tokens=_granted(view.tokens, ask.role),
    )
    reason = f"{instance.instance} is {_describe(instance)} and joins as {ask.role}"
    return view, GrantJoin(
        asker=asker,
        instance=instance,
        managers=view.join_addresses(),
        expires=expires,
        reason=reason,
        cause=event.id,
    )


def _describe(instance: Instance) -> str:
    return f"{instance.state}, {instance.lifecycle}, at {instance.address} in {instance.zone}"


def _granted(tokens: Tokens, role: Role) -> Tokens:
    if role is Role.MANAGER:
        return replace(tokens, is_manager_used=True)
    return replace(tokens, worker_grants=tokens.worker_grants + 1)


def _nodes_listed(view: View, nodes: tuple[Node, ...], at: datetime) -> View:
    """A grant is used up when its instance's node is bound and Ready."""
    arrived = {node.instance for node in nodes if node.is_ready}
    return replace(
        view,
        nodes={node.node: node for node in nodes},
        nodes_at=at,
        outstanding={
            instance: granted
            for instance, granted in view.outstanding.items()
            if instance not in arrived
        },
        probed=view.probed & {node.node for node in nodes if node.is_joining},
    )


def _landed(view: View, action: Action) -> View:
    return replace(view, in_flight=view.in_flight - {action.subject})


def _done(view: View, action: Action, at: datetime) -> View:
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
        case LabelNode(node=node, labels=labels) if node in view.nodes:
            known = view.nodes[node]
            bound = replace(known, labels={**known.labels, **labels})
            return replace(view, nodes={**view.nodes, node: bound})
        case ActivateNode(node=node) if node in view.nodes:
            known = view.nodes[node]
            labels = {name: text for name, text in known.labels.items() if name != LABEL_PHASE}
            active = replace(known, labels=labels, availability=Availability.ACTIVE)
            return replace(view, nodes={**view.nodes, node: active})
    return view


def _failed(view: View, action: Action, at: datetime) -> View:
    """A failed grant or denial is asked for again; anything else is tried again later."""
    if isinstance(action, GrantJoin | DenyJoin):
        outstanding = {
            instance: granted
            for instance, granted in view.outstanding.items()
            if not (isinstance(action, GrantJoin) and instance == action.instance.instance)
        }
        return replace(view, outstanding=outstanding)
    before = view.setbacks.get(action.subject)
    times = 1 if before is None else before.times + 1
    pause = min(_FIRST_SETBACK * 2 ** min(times - 1, 10), _LONGEST_SETBACK)
    return replace(view, setbacks={**view.setbacks, action.subject: Setback(times, at + pause)})


def _expired(view: View, at: datetime) -> View:
    if all(granted.expires > at for granted in view.outstanding.values()):
        return view
    return replace(
        view,
        outstanding={
            instance: granted
            for instance, granted in view.outstanding.items()
            if granted.expires > at
        },
    )
