"""Moves services off leaving nodes by adding constraints, and removes the constraints afterwards.

Swarm's drain stops a task before starting a replacement (moby #34139). With the constraint
`node.id!=X`, in contrast, Swarm moves only the tasks on node X, and starts each replacement first.

Rules: a service is not changed while its owner is updating it. A constraint stays until every task
has moved. If the constraint were removed earlier, Swarm might keep the old task and stop its
replacement.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from leader.moving.failing import failing_nodes, is_failing
from leader.moving.fates import Manner, is_emptying, manner
from leader.moving.loan import (
    Loan,
    is_changeable,
    is_our_update,
    keep_away,
    loan_of,
    restore,
    restore_all_but_scale,
)
from leader.view.actions import ChangeService
from leader.view.ids import NodeId, ServiceId
from leader.view.model import Node, Policy, View
from leader.view.moment import Moment
from leader.view.terms import drain_by, leaving_of
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_LOAN
from wire.messages import Availability


def evacuate(moment: Moment) -> Iterator[ChangeService]:
    """Yield the service changes that add or remove constraints."""
    work = moment.view.work
    if work is None:
        return
    emptying = {node.id: node for node in moment.view.nodes.values() if is_emptying(node)}
    loans = {
        service.id: loan
        for service in work.services.values()
        if LABEL_LOAN in service.labels and (loan := loan_of(service)) is not None
    }
    for name, loan in loans.items():
        if loan.purpose == "evacuate":
            yield from _finished(work.services[name], loan, emptying, work, moment)
    yield from _started(emptying, loans, work, moment)


@dataclass(frozen=True, slots=True)
class _Move:
    """A service with tasks on nodes that are being emptied."""

    service: Service
    tasks: Sequence[Task]
    loan: Loan | None
    kept_away: tuple[NodeId, ...]
    """The nodes that our constraints already exclude."""

    @property
    def nodes(self) -> tuple[NodeId, ...]:
        """The nodes that the service's tasks have to leave."""
        return tuple(dict.fromkeys(task.node for task in self.tasks if task.node is not None))


def _moves(
    emptying: Mapping[NodeId, Node], loans: Mapping[ServiceId, Loan], work: Work
) -> Iterator[_Move]:
    """Yield the services to move, starting with the services that have the fewest tasks.

    A service with few tasks suffers most if the drain stops its tasks.
    """
    leaving: dict[ServiceId, list[Task]] = {}
    for node in emptying:
        for task in work.on(node):
            if task.is_wanted and task.service in work.services:
                leaving.setdefault(task.service, []).append(task)
    for name in sorted(leaving, key=lambda name: (work.services[name].replicas, name)):
        service, loan = work.services[name], loans.get(name)
        if manner(service) is Manner.START_FIRST:
            is_evacuated = loan is not None and loan.purpose == "evacuate"
            kept_away = loan.away_from if loan is not None and is_evacuated else ()
            yield _Move(service, leaving[name], loan, kept_away)


def _started(
    emptying: Mapping[NodeId, Node],
    loans: Mapping[ServiceId, Loan],
    work: Work,
    moment: Moment,
) -> Iterator[ChangeService]:
    policy, moving = moment.policy, 0
    for move in _moves(emptying, loans, work):
        service, tasks, nodes = move.service, move.tasks, move.nodes
        if set(nodes) <= set(move.kept_away):
            yield from _without_failing(move, emptying, work, moment)
            moving += _placed(move, work)
            continue
        if not is_changeable(service, move.loan):
            continue
        if move.kept_away:
            # Another change restarts the update, which stops old tasks before replacements are up.
            drained_at = _drained_at(set(nodes) - set(move.kept_away), emptying, policy)
            if _is_starting(work.of_service(service.id), policy, drained_at, moment.at):
                moving += len(tasks)
                continue
        if moving and moving + len(tasks) > policy.moves_at_once:
            continue
        moving += len(tasks)
        hosts = ", ".join(emptying[node].hostname for node in nodes)
        still_away = (
            node
            for node in move.kept_away
            if node not in nodes and (node in emptying or is_failing(node, moment.view))
        )
        yield keep_away(
            service,
            _evacuation(move.loan, moment.at),
            (*still_away, *nodes),
            order="start-first",
            reason=f"{len(tasks)} of {service.replicas} tasks of {service.name} run on {hosts};"
            " replacements start elsewhere before these tasks stop",
        )


def _placed(move: _Move, work: Work) -> int:
    """Return how many of a service's tasks move now: those whose replacements have a node."""
    tasks = work.of_service(move.service.id)
    waiting = {task.slot for task in tasks if task.is_wanted and task.is_unplaced}
    return sum(task.slot not in waiting for task in move.tasks)


def _drained_at(
    nodes: Iterable[NodeId], emptying: Mapping[NodeId, Node], policy: Policy
) -> datetime:
    return min(drain_by(leaving_of(emptying[node]), policy) for node in nodes)


def _without_failing(
    move: _Move, emptying: Mapping[NodeId, Node], work: Work, moment: Moment
) -> Iterator[ChangeService]:
    """Keep a moving service off the nodes where its replacements failed repeatedly.

    Swarm places the next replacement there again, because a node whose tasks fail is the emptiest.
    """
    service, loan, view, policy = move.service, move.loan, moment.view, moment.policy
    if loan is None or not is_our_update(service, loan):
        return
    failing = failing_nodes(
        service, loan, view, work, times=policy.failures_per_node, leaving=emptying
    )
    if not failing:
        return
    # A change would make Swarm stop the old task of a replacement that is starting elsewhere: its
    # updater keeps any task that fits the new spec, even one that is not up yet. So each next
    # replacement must be seen on a failing node.
    tasks = work.of_service(service.id)
    elsewhere = [task for task in tasks if task.node not in failing]
    drained_at = _drained_at(move.nodes, emptying, policy)
    if _is_starting(elsewhere, policy, drained_at, moment.at):
        return
    failed = {task.slot for task in tasks if task.node in failing and task.is_broken}
    placed_again = {task.slot for task in tasks if task.node in failing and task.is_wanted}
    if not failed.intersection(task.slot for task in move.tasks) <= placed_again:
        return
    hosts = ", ".join(view.nodes[node].hostname for node in failing)
    yield keep_away(
        service,
        loan,
        (*move.kept_away, *failing),
        order="start-first",
        reason=f"replacements of {service.name} failed repeatedly on {hosts},"
        " so the next ones start on other nodes",
    )


def _is_starting(tasks: Sequence[Task], policy: Policy, drained_at: datetime, at: datetime) -> bool:
    """Whether to wait for a replacement that is starting, or that Swarm is just creating.

    The leader waits if the replacement is new or enough time remains before the drain. `drained_at`
    is the earliest drain time of the nodes whose tasks have not begun to move.
    """
    wanted = [task for task in tasks if task.is_wanted]
    serving = {task.slot for task in wanted if task.is_up}
    newest = {task.slot: task for task in sorted(tasks, key=lambda task: task.created)}
    # After a failure, Swarm creates the next replacement at once, but this list may be older.
    failed = [task for task in newest.values() if task.is_broken]
    return any(
        not task.is_up
        and task.slot in serving
        and at < max(task.created + policy.start_within, drained_at - policy.start_within)
        for task in (*wanted, *failed)
    )


def _evacuation(loan: Loan | None, at: datetime) -> Loan:
    """Return a loan that records the temporary changes for an evacuation.

    If the service is being rebalanced, the loan also keeps the change in the number of replicas.
    """
    if loan is None:
        return Loan(purpose="evacuate", since=at)
    if loan.purpose == "evacuate":
        return loan
    return replace(loan, purpose="evacuate", since=at, away_from=(), template="")


def _finished(
    service: Service, loan: Loan, emptying: Mapping[NodeId, Node], work: Work, moment: Moment
) -> Iterator[ChangeService]:
    """Remove a service's constraints after all of its tasks have moved."""
    tasks = [task for task in work.of_service(service.id) if task.is_wanted]
    if any(task.node in emptying for task in tasks):
        return
    is_still_away = any(node in emptying for node in loan.away_from)
    if is_still_away and service.update_state == "updating":
        return
    doubled = _starting_beside_others(tasks, moment.view)
    if doubled and not is_our_update(service, loan):
        return
    if doubled and not set(doubled) <= set(loan.away_from):
        # The node is not leaving after all: keep the serving tasks, not their replacements.
        serving = {task.node for task in tasks if task.is_up}
        is_mixed = not serving.isdisjoint(doubled)
        stuck = moment.view.moves.stuck.get(service.id)
        if is_mixed and stuck is not None and moment.at < stuck.until:
            # The change would also move other serving tasks, so do not repeat it soon.
            return
        change = keep_away(
            service,
            loan,
            doubled,
            order="start-first",
            reason=f"{service.name} stays on its node, so the replacements that did not come up are"
            " removed first",
        )
        yield replace(change, is_failure=is_mixed)
        return
    if doubled:
        return
    if loan.own_replicas is not None:
        yield restore_all_but_scale(
            service,
            loan,
            reason=f"{service.name} has moved, so its constraints are removed and its rebalancing"
            " continues",
        )
        return
    yield restore(
        service,
        loan,
        reason=f"no task of {service.name} has to move any more, so its constraints are removed",
    )


def _starting_beside_others(tasks: Sequence[Task], view: View) -> tuple[NodeId, ...]:
    """Return the nodes where a task is starting while another task in the same slot is up."""
    serving = {task.slot for task in tasks if task.is_up and _is_staying(task.node, view)}
    return tuple(
        dict.fromkeys(
            task.node
            for task in tasks
            if not task.is_up and task.slot in serving and task.node is not None
        )
    )


def _is_staying(name: NodeId | None, view: View) -> bool:
    node = view.nodes.get(name) if name is not None else None
    return (
        node is not None and node.availability is not Availability.DRAIN and node.status != "down"
    )
