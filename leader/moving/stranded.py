"""Determines which tasks have nowhere to go when their node is emptied, and why.

Rule: this is the only source for it, so `drain --dry-run`, `leaving` and the journal agree.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final

from leader.moving.fates import Fate, Manner, fate_of, is_emptying, manner
from leader.moving.placement import eligible
from leader.moving.room import Room
from leader.view.ids import NodeId, ServiceId, TaskId
from leader.view.model import Node, View
from leader.view.work import Service, Task, Work

_ADDRESSES_WITHIN: Final = timedelta(seconds=5)
_GOES_ELSEWHERE: Final = frozenset({Fate.MOVED, Fate.WAITS, Fate.DRAINED})


def stranded(node: Node, view: View, work: Work) -> dict[TaskId, str]:
    """Return the tasks on a node that no other node can take now, each with a sentence that why.

    Tasks are placed one by one, those that start first before those that stop first. Tasks that
    stay on the node, end with it, or have a replacement on another node already are left out.
    """
    others = [other for other in view.nodes.values() if other.id != node.id]
    room, reasons = Room(view.nodes, work), {}
    for task, service in _to_place(node, view, work):
        able = eligible(others, service.constraints)
        if able is None:
            # The leader cannot evaluate a constraint, so it does not know where Swarm can go.
            continue
        reason = room.place(service, able)
        if reason:
            reasons[task.id] = reason
    return reasons


def sentences(
    node: Node, view: View, work: Work, *, only: Collection[ServiceId] | None = None
) -> Iterator[str]:
    """Yield a sentence about each service with tasks that have nowhere to go.

    `only` limits the result to these services.
    """
    reasons = stranded(node, view, work)
    names: dict[tuple[ServiceId, str], list[str]] = {}
    for task in sorted(work.on(node.id), key=work.name):
        if task.id in reasons and (only is None or task.service in only):
            names.setdefault((task.service, reasons[task.id]), []).append(work.name(task))
    for (_, reason), group in names.items():
        verb = "has" if len(group) == 1 else "have"
        yield f"{', '.join(group)} {verb} nowhere to go: {reason}"


def without_address(node: Node, work: Work, at: datetime) -> Iterator[str]:
    """Yield a sentence about each task whose replacement has no address, so it is not placed.

    Swarm gives a task its addresses before it looks for a node, within a moment. It reports no
    error if a network is full: the task stays `new` (moby #43052).
    """
    for task in sorted(work.on(node.id), key=work.name):
        if task.is_wanted and any(
            other.slot == task.slot
            and other.is_wanted
            and other.state == "new"
            and at - other.created >= _ADDRESSES_WITHIN
            for other in work.of_service(task.service)
        ):
            yield (
                f"the replacement of {work.name(task)} has no address: a network of its service"
                " seems to be full"
            )


def _to_place(node: Node, view: View, work: Work) -> Iterator[tuple[Task, Service]]:
    placed = [
        (task, work.services[task.service])
        for task in work.on(node.id)
        if task.service in work.services
        and fate_of(task, work) in _GOES_ELSEWHERE
        and work.services[task.service].mode == "replicated"
        and not _has_replacement(task, node.id, view, work)
    ]
    yield from sorted(
        placed,
        key=lambda pair: (
            manner(pair[1]) is not Manner.START_FIRST,
            pair[1].replicas,
            work.name(pair[0]),
        ),
    )


def _has_replacement(task: Task, node: NodeId, view: View, work: Work) -> bool:
    """Whether Swarm has already placed a newer task of the same slot on a node that stays."""
    return any(
        other.slot == task.slot
        and other.id != task.id
        and other.created >= task.created
        and other.is_wanted
        and other.node is not None
        and other.node != node
        and other.node in view.nodes
        and not is_emptying(view.nodes[other.node])
        for other in work.of_service(task.service)
    )
