"""Describes what will happen to each task on a node that is being emptied.

Rule: `leader.moving.fates` makes the decisions, and this module only describes them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from leader.moving.fates import Fate, Manner, fate_of, manner
from leader.moving.placement import eligible, has_room
from leader.view.ids import ServiceId
from leader.view.model import Node, Policy, View
from leader.view.terms import Leaving, drain_by, leave_by
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_EVACUATE

UNCHECKED: Final = "without a health check, Swarm considers a task up once its process starts"


@dataclass(frozen=True, slots=True)
class TaskFate:
    """A task on a node, and what will happen to the task."""

    name: str
    service: str
    state: str
    fate: Fate
    why: str
    has_health_check: bool


def fates(node: Node, work: Work, terms: Leaving, policy: Policy) -> tuple[TaskFate, ...]:
    """Return the tasks, sorted by name, and what happens to each if the node leaves."""
    rows = []
    for task in work.on(node.id):
        if not (task.is_wanted or task.is_there):
            continue
        service = work.services.get(task.service)
        rows.append(
            TaskFate(
                name=work.name(task),
                service=service.name if service else "",
                state=task.state,
                fate=fate_of(task, work),
                why=_reason(task, work, terms, policy),
                has_health_check=service is not None and service.has_health_check,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.name))


def _reason(task: Task, work: Work, terms: Leaving, policy: Policy) -> str:
    fate, service = fate_of(task, work), work.services.get(task.service)
    if fate is Fate.STOPPING:
        return "it is already stopping"
    if service is None:
        return "its service has been removed"
    match fate:
        case Fate.RUNS_ON:
            cut_off_at = leave_by(terms, policy)
            return f"it keeps running until it ends, or is cut off at {cut_off_at:%H:%M:%S} UTC"
        case Fate.WAITS:
            drained_at = drain_by(terms, policy)
            return (
                f"it moves when its service's update ({service.update_state}) ends, or is left to"
                f" Swarm's drain at {drained_at:%H:%M:%S} UTC"
            )
        case Fate.MOVED if service.has_health_check:
            return "it stops once a replacement is healthy elsewhere"
        case Fate.MOVED:
            return f"it stops once a replacement has started elsewhere; {UNCHECKED}"
    return _why_stopped_first(service)


def _why_stopped_first(service: Service) -> str:
    if service.mode == "global":
        return "it stops, because its service is global and has a task on every other node"
    if service.mode != "replicated":
        return "it stops and starts again elsewhere, because its service is a job"
    if service.labels.get(LABEL_EVACUATE) == Manner.STOP_FIRST:
        why = f"the service has the label {LABEL_EVACUATE}={Manner.STOP_FIRST.value}"
    elif service.has_host_ports:
        why = "the service uses a port of the host"
    else:
        why = "the service's data is on this machine"
    return f"it stops before a replacement starts, because {why}"


def stranded(
    node: Node, view: View, work: Work, *, only: Collection[ServiceId] | None = None
) -> Iterator[str]:
    """Yield a sentence about each service whose tasks cannot run on any other node now.

    `only` limits the result to these services.
    """
    others = [other for other in view.nodes.values() if other.id != node.id]
    names = {
        task.service
        for task in work.on(node.id)
        if task.is_wanted and (only is None or task.service in only)
    }
    services = [work.services[name] for name in names if name in work.services]
    for service in sorted(services, key=lambda service: service.name):
        if service.mode in {"global", "global-job"} or manner(service) is Manner.NEVER:
            continue
        why = _why_stranded(service, others, work)
        if why:
            yield f"no other node can take {service.name}: {why}"


def _why_stranded(service: Service, others: Sequence[Node], work: Work) -> str:
    """Return why none of these nodes can take a task.

    The result is empty if a node can take a task, or if a constraint cannot be evaluated.
    """
    able = eligible(others, service.constraints)
    if able is None:
        return ""
    if not able:
        wants = f" that satisfies {', '.join(service.constraints)}" if service.constraints else ""
        return f"no other node{wants} takes tasks"
    by_id = {other.id: other for other in others}
    for name in able:
        tasks = [task for task in work.on(name) if task.is_wanted and task.service == service.id]
        if service.most_per_node and len(tasks) >= service.most_per_node:
            continue
        if has_room(by_id[name], service, work):
            return ""
    return "no other node has room for another task"
