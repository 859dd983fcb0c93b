"""Which services are moved off leaving nodes, how, and when what was borrowed is given back.

Swarm's own drain stops a task before it starts another (moby #34139). A constraint `node.id!=X`
moves just the tasks on X, and its update starts before it stops. Rules: a service in an update of
its own is not touched; a loan is kept while a task still has to move, for taking it back then
would have the swarm choose between the old task and its replacement.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from leader.moving.loan import Loan, give_back, hand_on, is_ours, keep_away, loan_of
from leader.view.actions import ChangeService
from leader.view.ids import NodeId, ServiceId
from leader.view.model import Node, Policy, View
from leader.view.terms import drain_by, leaving_of
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_EVACUATE, LABEL_LOAN, LEAVING
from wire.messages import Availability

_SETTLED: Final = frozenset({"", "completed", "rollback_completed"})


class Manner(StrEnum):
    """How a service's tasks leave a node: the values of its label `spotswarm.evacuate`."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"
    """Left to Swarm's drain: what must not run twice, and what cannot be moved."""
    NEVER = "never"
    """Runs on until the node goes."""


def manner(service: Service) -> Manner:
    """The service's own word, or what is sensible for its kind."""
    if service.mode != "replicated":
        return Manner.STOP_FIRST
    said = service.labels.get(LABEL_EVACUATE)
    if said in set(Manner):
        return Manner(said)
    if service.has_host_ports or service.has_local_volumes:
        return Manner.STOP_FIRST
    return Manner.START_FIRST


def is_emptying(node: Node) -> bool:
    """Whether tasks are being moved off it: leaving, and not drained yet."""
    return node.phase == LEAVING and node.availability is Availability.PAUSE


def to_move(node: NodeId, view: View, work: Work) -> tuple[Task, ...]:
    """The tasks on a node that are to be moved and have no replacement up elsewhere."""
    return tuple(
        task
        for task in work.on(node)
        if task.is_wanted
        and task.service in work.services
        and manner(work.services[task.service]) is Manner.START_FIRST
        and not _is_replaced(task, view, work)
    )


def _is_replaced(task: Task, view: View, work: Work) -> bool:
    """Whether a later task serves in its place; an earlier one ends as soon as this one is up."""
    return any(
        other.slot == task.slot
        and other.id != task.id
        and other.created >= task.created
        and other.is_wanted
        and other.is_up
        and other.node is not None
        and other.node in view.nodes
        and not is_emptying(view.nodes[other.node])
        for other in work.of_service(task.service)
    )


def evacuate(view: View, policy: Policy, cause: str, at: datetime) -> Iterator[ChangeService]:
    """What to borrow, and what to give back."""
    work = view.work
    if work is None:
        return
    going = {node.id: node for node in view.nodes.values() if is_emptying(node)}
    loans = {
        service.id: loan
        for service in work.services.values()
        if LABEL_LOAN in service.labels and (loan := loan_of(service)) is not None
    }
    for name, loan in loans.items():
        if loan.purpose == "evacuate":
            yield from _returned(work.services[name], loan, going, view, _Why(cause, at))
    yield from _borrowed(going, loans, work, policy, _Why(cause, at))


class _Why(NamedTuple):
    cause: str
    at: datetime


def _borrowed(
    going: Mapping[NodeId, Node],
    loans: Mapping[ServiceId, Loan],
    work: Work,
    policy: Policy,
    why: _Why,
) -> Iterator[ChangeService]:
    leaving: dict[ServiceId, list[Task]] = {}
    for node in going:
        for task in work.on(node):
            if task.is_wanted and task.service in work.services:
                leaving.setdefault(task.service, []).append(task)
    moving = 0
    # First what has nothing else running: it is what a drain would take off the air.
    order = sorted(leaving, key=lambda name: (work.services[name].replicas, name))
    for name in order:
        service, tasks = work.services[name], leaving[name]
        if manner(service) is not Manner.START_FIRST:
            continue
        loan = loans.get(name)
        held = loan.away_from if loan is not None and loan.purpose == "evacuate" else ()
        nodes = tuple(dict.fromkeys(task.node for task in tasks if task.node is not None))
        if set(nodes) <= set(held):
            moving += len(tasks)
            continue
        if service.update_state not in _SETTLED and not is_ours(service, loan):
            continue
        if held:
            # A change starts the update anew, and that stops the old tasks of what is half moved.
            late = min(
                drain_by(leaving_of(going[node]), policy) for node in nodes if node not in held
            )
            if _is_on_its_way(work.of_service(name), policy, late=late, at=why.at):
                moving += len(tasks)
                continue
        if moving and moving + len(tasks) > policy.moves_at_once:
            continue
        moving += len(tasks)
        if loan is None or loan.purpose != "evacuate":
            loan = _begun(loan, why.at)
        hosts = ", ".join(going[node].hostname for node in nodes)
        yield keep_away(
            service,
            loan,
            (*(node for node in held if node in going and node not in nodes), *nodes),
            order="start-first",
            reason=f"{len(tasks)} of {service.replicas} tasks of {service.name} run on {hosts}:"
            " replacements start elsewhere before these stop",
            cause=why.cause,
        )


def _is_on_its_way(
    tasks: tuple[Task, ...], policy: Policy, *, late: datetime, at: datetime
) -> bool:
    """Whether a replacement that is not up yet is waited for: it is young, or there is time.

    `late`: when the others that would join the move are drained.
    """
    wanted = [task for task in tasks if task.is_wanted]
    serving = {task.slot for task in wanted if task.is_up}
    return any(
        not task.is_up
        and task.slot in serving
        and at < max(task.created + policy.start_within, late - policy.start_within)
        for task in wanted
    )


def _begun(loan: Loan | None, at: datetime) -> Loan:
    """A new loan; of a spreading one, what is lent already stays on it."""
    if loan is None:
        return Loan(purpose="evacuate", since=at)
    return Loan(
        purpose="evacuate",
        since=at,
        constraints=loan.constraints,
        is_update_lent=loan.is_update_lent,
        own_update=loan.own_update,
        lent_update=loan.lent_update,
        own_replicas=loan.own_replicas,
        lent_replicas=loan.lent_replicas,
    )


def _returned(
    service: Service, loan: Loan, going: Mapping[NodeId, Node], view: View, why: _Why
) -> Iterator[ChangeService]:
    work = view.work or Work()
    tasks = [task for task in work.of_service(service.id) if task.is_wanted]
    if any(task.node in going for task in tasks):
        return
    is_held = any(node in going for node in loan.away_from)
    if is_held and service.update_state == "updating":
        return
    doubled = _doubled(tasks, view)
    if doubled and not is_ours(service, loan):
        return
    if doubled and not set(doubled) <= set(loan.away_from):
        # The node stays after all: the replacements that are not up go, not the tasks that serve.
        serving = {task.node for task in tasks if task.is_up}
        is_mixed = not serving.isdisjoint(doubled)
        stuck = view.moves.stuck.get(service.id)
        if is_mixed and stuck is not None and why.at < stuck.until:
            # Others serve there, and would move: tried once, and then seldom.
            return
        change = keep_away(
            service,
            loan,
            doubled,
            order="start-first",
            reason=f"{service.name} stays where it is: replacements that did not come up go first",
            cause=why.cause,
        )
        yield replace(change, is_failure=is_mixed)
        return
    if doubled:
        return
    if loan.own_replicas is not None:
        yield hand_on(
            service,
            loan,
            reason=f"{service.name} has left; what was added to spread it is seen to again",
            cause=why.cause,
        )
        return
    yield give_back(
        service, loan, reason=f"no task of {service.name} is on its way any more", cause=why.cause
    )


def _doubled(tasks: list[Task], view: View) -> tuple[NodeId, ...]:
    """Nodes of tasks that are not up, in slots where another task serves, and will."""
    serving = {task.slot for task in tasks if task.is_up and _stays(task.node, view)}
    return tuple(
        dict.fromkeys(
            task.node
            for task in tasks
            if not task.is_up and task.slot in serving and task.node is not None
        )
    )


def _stays(name: NodeId | None, view: View) -> bool:
    node = view.nodes.get(name) if name is not None else None
    return (
        node is not None and node.availability is not Availability.DRAIN and node.status != "down"
    )
