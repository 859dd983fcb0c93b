"""decide(view, event, policy) -> (view, actions): the leader's every answer.

Rule: the shell does what it is told and tells what came of it; it never changes the view.
An action is in flight from the moment it is decided until its `Done` or `Failed`; deciding twice on
one view, the first time's actions being in flight, gives nothing new.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from leader.joining.admission import admit
from leader.joining.welcome import welcome
from leader.learn import done, failed, instances_listed, nodes_listed, work_listed
from leader.leaving.heed import heed
from leader.leaving.steps import depart
from leader.moving.evacuate import evacuate
from leader.moving.rebalance import spread
from leader.upkeep.heartbeat import pace
from leader.upkeep.reconcile import reconcile
from leader.upkeep.tokens import rotation
from leader.view.actions import Action, DeleteNotices, DenyJoin, GrantJoin, ListInstances
from leader.view.events import (
    Done,
    DrainAsked,
    Event,
    Failed,
    InstancesListed,
    JoinAsked,
    JoinUnproven,
    LeftSwarm,
    NodesListed,
    Noticed,
    ReturnAsked,
    SpreadAsked,
    Ticked,
    WorkListed,
)
from leader.view.model import Asker, Instance, Outstanding, Policy, Tokens, View, Wish
from wire.labels import LEAVING
from wire.messages import Role


def first_view() -> View:
    """What a leader starts from: it cannot know who was granted what before it."""
    return View(tokens=Tokens(is_manager_used=True))


def decide(view: View, event: Event, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """Answer one event: what the world looks like now, and what to do about it."""
    view, answers = _heard(view, event, policy)
    view = _expired(view, event.at)
    is_news = isinstance(event, WorkListed)
    actions = (*answers, *due(view, policy, cause=event.id, at=event.at, is_news=is_news))
    taken = view.in_flight | {action.subject for action in actions}
    return replace(view, in_flight=taken), actions


def _heard(view: View, event: Event, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """The view after the event, and what answers it directly."""
    match event:
        case JoinAsked():
            view, answer = _asked(view, event, policy)
            return view, (answer,)
        case JoinUnproven(asker=asker, denied=denied):
            return view, (DenyJoin(asker=asker, denied=denied, cause=event.id),)
        case NodesListed():
            return nodes_listed(view, event), ()
        case InstancesListed():
            return instances_listed(view, event), ()
        case WorkListed():
            return work_listed(view, event), ()
        case Noticed():
            return _noticed(view, event, policy)
        case LeftSwarm(instance=instance, at=at):
            left = {**view.market.left, instance: at}
            return replace(view, market=replace(view.market, left=left)), ()
        case DrainAsked() | ReturnAsked() | SpreadAsked():
            return _wished(view, event), ()
        case Ticked():
            return view, ()
        case Done(action=action, at=at):
            return done(_landed(view, action), action, at, policy), ()
        case Failed(action=action, at=at):
            return failed(_landed(view, action), action, at), ()
        case _:
            raise TypeError(f"no decision is made on {type(event).__name__}")


def _wished(view: View, event: DrainAsked | ReturnAsked | SpreadAsked) -> View:
    """The operator's word is kept until it is written on the node or service."""
    moves = view.moves
    match event:
        case DrainAsked(node=node, at=at, within=within):
            moves = replace(moves, wishes={**moves.wishes, node: Wish("drain", at, within)})
        case ReturnAsked(node=node, at=at):
            moves = replace(moves, wishes={**moves.wishes, node: Wish("return", at)})
        case SpreadAsked(services=services):
            moves = replace(moves, asked={**moves.asked, **dict.fromkeys(services, event.at)})
    return replace(view, moves=moves)


def due(
    view: View, policy: Policy, *, cause: str, at: datetime, is_news: bool = False
) -> tuple[Action, ...]:
    """What the view calls for, at most one action on a subject, none in flight or set back.

    `is_news`: services and tasks were just listed, and may be planned with.
    """
    if view.nodes_at is None:
        return ()
    actions: dict[str, Action] = {}
    for action in _wanted(view, policy, cause, at, is_news=is_news):
        subject = action.subject
        setback = view.setbacks.get(subject)
        if subject in view.in_flight or (setback is not None and at < setback.until):
            continue
        actions.setdefault(subject, action)
    return tuple(actions.values())


def _wanted(
    view: View, policy: Policy, cause: str, at: datetime, *, is_news: bool
) -> Iterator[Action]:
    """Everything anybody wants done, the most urgent first."""
    yield from heed(view, policy, cause, at)
    yield from depart(view, policy, cause, at)
    yield from evacuate(view, policy, cause, at)
    yield from _handled(view, cause)
    yield from welcome(view, policy, cause, at)
    yield from spread(view, policy, cause, at, is_news=is_news)
    yield from reconcile(view, policy, cause, at)
    yield from rotation(view, policy, cause, at)
    yield from pace(view, policy, cause)


def _noticed(view: View, event: Noticed, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """Merge an announcement; one about nobody of ours is dropped."""
    notice, market = event.notice, view.market
    instance = notice.instance
    known = view.instances.get(instance)
    # A new leader that has not seen both lists yet cannot know whom a message is about.
    is_listed = view.nodes_at is not None and view.instances_at is not None
    if is_listed and known is None and not view.bound(instance):
        return view, _deleted(event, f"{instance} is none of ours")
    if notice.kind == "state":
        looked = ListInstances(reason=f"{instance} is {notice.action}", cause=event.id)
        is_free = looked.subject not in view.in_flight
        return view, (
            *_deleted(event, f"{instance} is {notice.action}"),
            *((looked,) if is_free else ()),
        )
    is_new = market.notice(instance, notice.kind) is None
    market = market.hear(notice)
    if is_new and notice.kind != "maintenance" and known is not None:
        market = market.penalise(known.pool, event.at + policy.pool_penalty)
    if event.listener is not None:
        market = replace(market, listeners={**market.listeners, instance: event.listener})
    if event.receipt is not None:
        held = market.receipts.get(instance, ())
        receipts = {**market.receipts, instance: (*held, event.receipt)}
        market = replace(market, receipts=receipts)
    return replace(view, market=market), ()


def _deleted(event: Noticed, reason: str) -> tuple[DeleteNotices, ...]:
    if event.receipt is None:
        return ()
    return (DeleteNotices(receipts=(event.receipt,), reason=reason, cause=event.id),)


def _handled(view: View, cause: str) -> Iterator[DeleteNotices]:
    """A message is deleted when what it calls for is written on the node, or there is none."""
    if not view.market.receipts or view.instances_at is None:
        return
    phases = {node.instance: node.phase for node in view.nodes.values() if node.instance}
    for instance, receipts in view.market.receipts.items():
        standing = view.market.notices.get(instance, ())
        is_order = any(notice.kind == "interruption" for notice in standing)
        if not is_order or phases.get(instance, LEAVING) == LEAVING:
            yield DeleteNotices(
                receipts=receipts, reason=f"the leaving of {instance} is under way", cause=cause
            )


def _asked(view: View, event: JoinAsked, policy: Policy) -> tuple[View, GrantJoin | DenyJoin]:
    ask = event.ask
    instance = ask.identity.instance
    asker = Asker(ask.nonce, ask.reply, ask.key, ask.role, ask.opened_by, instance=instance.id)
    denied = admit(ask, view, policy, event.at)
    if denied is not None:
        return view, DenyJoin(asker=asker, denied=denied, cause=event.id)
    expires = event.at + policy.grant_lifetime
    view = replace(
        view,
        instances={**view.instances, instance.id: instance},
        outstanding={
            **view.outstanding,
            instance.id: Outstanding(instance, ask.role, ask.key, expires),
        },
        tokens=_granted(view.tokens, ask.role),
    )
    reason = f"{instance.id} is {_describe(instance)} and joins as {ask.role}"
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


def _landed(view: View, action: Action) -> View:
    return replace(view, in_flight=view.in_flight - {action.subject})


def _expired(view: View, at: datetime) -> View:
    market = view.market.at(at)
    if market is not view.market:
        view = replace(view, market=market)
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
