"""Makes the leader's decisions: `decide(view, event, policy)` returns a new view and actions.

Rule: `leader.term` carries out the actions and reports each result as `Done` or `Failed`, but never
changes the view. An action is in flight until its result arrives. Until then, `decide` returns no
other action for the same subject.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from leader.joining.admission import admit
from leader.joining.welcome import missing_instances, welcome
from leader.learn import done, failed, instances_listed, nodes_listed, work_listed
from leader.leaving.handled import handled
from leader.leaving.starting import start
from leader.leaving.steps import depart
from leader.moving.evacuate import evacuate
from leader.moving.rebalance import rebalance
from leader.upkeep.heartbeat import adjust_heartbeat
from leader.upkeep.reconcile import reconcile
from leader.upkeep.tokens import rotate_tokens
from leader.view import isolation
from leader.view.actions import (
    Action,
    DeleteNotices,
    DenyJoin,
    GrantJoin,
    ListInstances,
    NodeAction,
    Refuse,
    TerminateInstance,
)
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
    RebalanceAsked,
    ReturnAsked,
    Ticked,
    WorkListed,
)
from leader.view.isolation import isolated
from leader.view.model import Asker, Instance, Outstanding, Policy, Tokens, View, Wish
from leader.view.moment import Moment
from wire.messages import Role

_MOST_RECEIPTS: Final = 10


def first_view() -> View:
    """Return the initial view of a new leader.

    A new leader assumes that the manager token has been used, because an earlier leader may have
    sent the token to an instance.
    """
    return View(tokens=Tokens(is_manager_used=True))


def decide(
    view: View, event: Event, policy: Policy, *, is_followed: bool = False
) -> tuple[View, tuple[Action, ...]]:
    """Respond to one event, and return the new view and the actions to carry out.

    `is_followed` means that another event already waits. Then an event about a join is only
    answered. The rules look at every node, and a thousand joins must not make them do so 2,000
    times. The timer's event follows within a second, and with it the rules' actions.
    """
    is_only_answered = is_followed and _is_about_a_join(event)
    view, answers = _after_or_fault(view, event, policy, expires=not is_only_answered)
    proposals: tuple[Action, ...] = ()
    if not is_only_answered:
        moment = Moment(view, policy, event.at, is_work_new=isinstance(event, WorkListed))
        proposals = due(moment)
    actions = tuple(_based(action, view, event.id) for action in (*answers, *proposals))
    in_flight = view.in_flight | {action.subject for action in actions}
    return replace(view, in_flight=in_flight), actions


def _based(action: Action, view: View, cause: str) -> Action:
    """Return the action with its cause and, for an action on a node, the node as it is known."""
    if isinstance(action, NodeAction) and action.node in view.nodes:
        return replace(action, cause=cause, basis=view.nodes[action.node].basis)
    return replace(action, cause=cause)


def refusals(moment: Moment) -> tuple[Refuse, ...]:
    """Return what the leader refuses to do now, whether or not it has just logged so."""
    if moment.view.nodes_at is None:
        return ()
    return tuple(action for action in _proposed(moment) if isinstance(action, Refuse))


def _after_or_fault(
    view: View, event: Event, policy: Policy, *, expires: bool
) -> tuple[View, tuple[Action, ...]]:
    """Return the updated view and the direct answers; `expires` drops grants that have expired.

    If the event's handling raises an exception, the event has no effect, except that an action that
    has ended is no longer in flight.
    """
    try:
        view, answers = _after(view, event, policy)
        return (_without_expired(view, event.at) if expires else view), answers
    except Exception as exc:  # noqa: BLE001  the report has the exception
        if isinstance(event, Done | Failed):
            view = _landed(view, event.action)
        return view, (isolation.report(f"the event {type(event).__name__}", exc),)


def _is_about_a_join(event: Event) -> bool:
    match event:
        case JoinAsked() | JoinUnproven():
            return True
        case Done(action=action) | Failed(action=action):
            return isinstance(action, GrantJoin | DenyJoin)
    return False


def _after(view: View, event: Event, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """Return the updated view and the actions that respond directly to the event."""
    match event:
        case JoinAsked():
            view, answer = _join_answered(view, event, policy)
            return view, (answer,)
        case JoinUnproven(asker=asker, denied=denied):
            return view, (DenyJoin(asker=asker, denied=denied),)
        case NodesListed():
            return nodes_listed(view, event), ()
        case InstancesListed():
            return instances_listed(view, event), ()
        case WorkListed():
            return work_listed(view, event), ()
        case Noticed():
            return _noticed(view, event, policy)
        case LeftSwarm(instance=instance, at=at):
            departed = {**view.notices.departed, instance: at}
            return replace(view, notices=replace(view.notices, departed=departed)), ()
        case DrainAsked() | ReturnAsked() | RebalanceAsked():
            return _wished(view, event), ()
        case Ticked():
            return view, ()
        case Done(action=action, at=at):
            return done(_landed(view, action), action, at, policy), ()
        case Failed(action=action, at=at):
            return failed(_landed(view, action), action, at), ()
        case _:
            raise TypeError(f"unknown type of event: {type(event).__name__}")


def _wished(view: View, event: DrainAsked | ReturnAsked | RebalanceAsked) -> View:
    """Remember an operator's request until it is recorded in a label on the node or service."""
    moves = view.moves
    match event:
        case DrainAsked(node=node, at=at, within=within):
            moves = replace(moves, wishes={**moves.wishes, node: Wish("drain", at, within)})
        case ReturnAsked(node=node, at=at):
            moves = replace(moves, wishes={**moves.wishes, node: Wish("return", at)})
        case RebalanceAsked(services=services):
            wishes = {**moves.rebalance_wishes, **dict.fromkeys(services, event.at)}
            moves = replace(moves, rebalance_wishes=wishes)
    return replace(view, moves=moves)


def due(moment: Moment) -> tuple[Action, ...]:
    """Return the actions to carry out now, at most one per subject (such as a node or service).

    A subject gets no new action while its previous action is in flight or waiting to be retried.
    """
    view = moment.view
    if view.nodes_at is None:
        return ()
    actions: dict[str, Action] = {}
    for action in _proposed(moment):
        subject = action.subject
        setback = view.setbacks.get(subject)
        if subject in view.in_flight or (setback is not None and moment.at < setback.until):
            continue
        actions.setdefault(subject, action)
    return tuple(actions.values())


def _proposed(moment: Moment) -> Iterator[Action]:
    """Yield the actions that the leader's rules propose, most urgent first."""
    rules: tuple[tuple[str, Callable[[Moment], Iterable[Action]]], ...] = (
        ("which nodes leave", start),
        ("the next steps of leaving nodes", depart),
        ("which tasks move", evacuate),
        ("which messages are done with", handled),
        ("new nodes", welcome),
        ("rebalancing", rebalance),
        ("removals", _certain_removals),
        ("join tokens", rotate_tokens),
        ("the heartbeat", adjust_heartbeat),
    )
    for about, rule in rules:
        yield from isolated(about, rule, moment)


def _certain_removals(moment: Moment) -> Iterator[Action]:
    """Yield the clean-up's actions, but terminate nothing while a node cannot be read.

    That node may belong to the instance.
    """
    for action in reconcile(moment):
        if not (moment.view.nodes_unread and isinstance(action, TerminateInstance)):
            yield action


def _noticed(view: View, event: Noticed, policy: Policy) -> tuple[View, tuple[Action, ...]]:
    """Add a notice to the view, or delete the notice's queue message if no action is needed."""
    notice, notices = event.notice, view.notices
    instance = notice.instance
    known = view.instances.get(instance)
    # Until a new leader has both lists, it cannot tell which instances belong to the cluster.
    is_listed = view.nodes_at is not None and view.instances_at is not None
    if is_listed and known is None and not view.bound(instance):
        if any(other in view.instances or view.bound(other) for other in event.others):
            # The message is also about an instance of ours, whose notice deletes it.
            return view, ()
        return view, _deleted(event, f"{instance} does not belong to this cluster")
    if notice.kind == "state":
        listing = ListInstances(
            reason=f"{instance} is {notice.action}", missing=missing_instances(view)
        )
        is_free = listing.subject not in view.in_flight
        return view, (
            *_deleted(event, f"{instance} is {notice.action}"),
            *((listing,) if is_free else ()),
        )
    is_new = notices.of(instance, notice.kind) is None
    notices = notices.merge(notice)
    if is_new and notice.kind != "maintenance" and known is not None:
        pools = view.pools.avoid(known.pool, event.at + policy.pool_penalty)
        view = replace(view, pools=pools)
    if event.listener is not None:
        notices = replace(notices, listeners={**notices.listeners, instance: event.listener})
    if event.receipt is not None:
        earlier = notices.receipts.get(instance, ())
        # The queue delivers a message again and again: only its latest receipt is valid.
        latest = (*earlier, event.receipt)[-_MOST_RECEIPTS:]
        receipts = {**notices.receipts, instance: latest}
        notices = replace(notices, receipts=receipts)
    return replace(view, notices=notices), ()


def _deleted(event: Noticed, reason: str) -> tuple[DeleteNotices, ...]:
    if event.receipt is None:
        return ()
    return (DeleteNotices(receipts=(event.receipt,), reason=reason),)


def _join_answered(
    view: View, event: JoinAsked, policy: Policy
) -> tuple[View, GrantJoin | DenyJoin]:
    ask = event.ask
    instance = ask.identity.instance
    asker = Asker(ask.nonce, ask.reply, ask.key, ask.role, ask.opened_by, instance=instance.id)
    denied = admit(ask, view, policy, event.at)
    if denied is not None:
        return view, DenyJoin(asker=asker, denied=denied)
    expires = event.at + policy.grant_lifetime
    granted = Outstanding(instance, ask.role, ask.key, expires)
    view = replace(
        view,
        instances={**view.instances, instance.id: instance},
        outstanding={**view.outstanding, instance.id: granted},
        tokens=_granted(view.tokens, ask.role),
    )
    return view, GrantJoin(
        asker=asker,
        instance=instance,
        managers=view.join_addresses(),
        expires=expires,
        reason=f"{instance.id} ({_describe(instance)}) may join as a {ask.role}",
    )


def _describe(instance: Instance) -> str:
    return f"{instance.state}, {instance.lifecycle}, at {instance.address} in {instance.zone}"


def _granted(tokens: Tokens, role: Role) -> Tokens:
    if role is Role.MANAGER:
        return replace(tokens, is_manager_used=True)
    return replace(tokens, worker_grants=tokens.worker_grants + 1)


def _landed(view: View, action: Action) -> View:
    return replace(view, in_flight=view.in_flight - {action.subject})


def _without_expired(view: View, at: datetime) -> View:
    """Return the view without any expired notices, grants or pool penalties."""
    notices, pools = view.notices.current(at), view.pools.current(at)
    if notices is not view.notices or pools is not view.pools:
        view = replace(view, notices=notices, pools=pools)
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
