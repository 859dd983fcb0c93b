"""What becomes of each task on a node that is emptied, said by the rules it is emptied by. Pure.

Rule: nothing is decided here. `evacuate` and `leaving` do what this says they will; when they
change, so must these sentences.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leader.moving.evacuate import Manner, is_emptying, manner
from leader.moving.loan import is_ours, loan_of
from leader.moving.placement import eligible, has_room
from leader.view.model import Node, Policy, View
from leader.view.terms import Leaving, drain_by, leave_by
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_EVACUATE

_SETTLED: Final = frozenset({"", "completed", "rollback_completed"})
UNCHECKED: Final = "no health check: Swarm calls its tasks up when the process starts"


class Fate(StrEnum):
    """How a task goes."""

    MOVED = "moved"
    """Another is up elsewhere before it stops."""
    WAITS = "waits"
    """To be moved as soon as its service's own update has ended."""
    DRAINED = "drained"
    """Swarm's drain stops it before another starts."""
    RUNS_ON = "runs-on"
    """Left alone until it ends or the node goes."""
    STOPPING = "stopping"
    """Told to stop already."""


@dataclass(frozen=True, slots=True)
class TaskFate:
    """One task of a node, and what will happen to it."""

    name: str
    service: str
    state: str
    fate: Fate
    why: str
    has_health_check: bool


def fates(node: Node, work: Work, leaving: Leaving, policy: Policy) -> tuple[TaskFate, ...]:
    """The fate of every task on a node that leaves like this, by name."""
    told = []
    for task in work.on(node.id):
        if not (task.is_wanted or task.is_there):
            continue
        service = work.services.get(task.service)
        fate, why = _weighed(task, service, leaving, policy)
        told.append(
            TaskFate(
                name=work.name(task),
                service=service.name if service else "",
                state=task.state,
                fate=fate,
                why=why,
                has_health_check=service is not None and service.has_health_check,
            )
        )
    return tuple(sorted(told, key=lambda one: one.name))


def _weighed(
    task: Task, service: Service | None, leaving: Leaving, policy: Policy
) -> tuple[Fate, str]:
    if not task.is_wanted:
        return Fate.STOPPING, "told to stop already"
    if service is None:
        return Fate.DRAINED, "its service is gone"
    match manner(service):
        case Manner.NEVER:
            cut = leave_by(leaving, policy)
            return Fate.RUNS_ON, f"runs to its end; cut off at {cut:%H:%M:%S} UTC"
        case Manner.STOP_FIRST:
            return Fate.DRAINED, _stopped_first(service)
    if service.update_state not in _SETTLED and not is_ours(service, loan_of(service)):
        late = drain_by(leaving, policy)
        why = (
            f"its own update is {service.update_state}: moved when that ends,"
            f" or left to Swarm's drain at {late:%H:%M:%S} UTC"
        )
        return Fate.WAITS, why
    if service.has_health_check:
        return Fate.MOVED, "another is healthy elsewhere first"
    return Fate.MOVED, f"another starts elsewhere first; {UNCHECKED}"


def _stopped_first(service: Service) -> str:
    if service.mode == "global":
        return "global: it stops, and each other node has its own"
    if service.mode != "replicated":
        return "a job: it stops, and begins again elsewhere"
    if service.labels.get(LABEL_EVACUATE) == Manner.STOP_FIRST:
        why = f"its label {LABEL_EVACUATE} says so"
    elif service.has_host_ports:
        why = "it has a port of the host"
    else:
        why = "its data is on this machine"
    return f"stops before another starts: {why}"


def is_replaced(task: Task, view: View, work: Work) -> bool:
    """Whether another task of its slot serves on a node that is not being emptied."""
    return bool(task.slot) and any(
        other.slot == task.slot
        and other.id != task.id
        and other.is_wanted
        and other.is_up
        and other.node is not None
        and other.node in view.nodes
        and not is_emptying(view.nodes[other.node])
        for other in work.of_service(task.service)
    )


def stranded(node: Node, view: View, work: Work) -> Iterator[str]:
    """A sentence for each service that no other node can take a task of now."""
    others = [other for other in view.nodes.values() if other.id != node.id]
    here = {task.service for task in work.on(node.id) if task.is_wanted}
    services = [work.services[name] for name in here if name in work.services]
    for service in sorted(services, key=lambda one: one.name):
        if service.mode in {"global", "global-job"} or manner(service) is Manner.NEVER:
            continue
        why = _nowhere(service, others, work)
        if why:
            yield f"{service.name} has nowhere to go: {why}"


def _nowhere(service: Service, others: list[Node], work: Work) -> str:
    """Why none of these nodes can take a task; empty when one can, or nobody can tell."""
    may = eligible(others, service.constraints)
    if may is None:
        return ""
    if not may:
        wants = f" that satisfies {', '.join(service.constraints)}" if service.constraints else ""
        return f"no other node{wants} takes tasks"
    by_id = {other.id: other for other in others}
    for name in may:
        running = [task for task in work.on(name) if task.is_wanted]
        mine = sum(1 for task in running if task.service == service.id)
        if service.most_per_node and mine >= service.most_per_node:
            continue
        held = [work.services[task.service] for task in running if task.service in work.services]
        reserved = (sum(one.cpu for one in held), sum(one.memory for one in held))
        if has_room(by_id[name], service, reserved):
            return ""
    return "no other node has room for it"
