"""Describes what will happen to each task on a node that is being emptied.

Rule: `leader.moving.fates` makes the decisions, and this module only describes them.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from leader.moving import stranded as moving
from leader.moving.fates import Fate, Manner, fate_of
from leader.view.ids import ServiceId, TaskId
from leader.view.model import Node, Policy, View
from leader.view.terms import Leaving, drain_by, leave_by, stop_by
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


def fates(
    node: Node, view: View, work: Work, terms: Leaving, policy: Policy
) -> tuple[TaskFate, ...]:
    """Return the tasks, sorted by name, and what happens to each if the node leaves."""
    rows, nowhere = [], moving.stranded(node, view, work)
    for task in work.on(node.id):
        if not (task.is_wanted or task.is_there):
            continue
        service = work.services.get(task.service)
        rows.append(
            TaskFate(
                name=work.name(task),
                service=service.name if service else "",
                state=task.state,
                fate=fate_of(task, work, nowhere),
                why=_reason(task, work, nowhere, terms, policy),
                has_health_check=service is not None and service.has_health_check,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.name))


def _reason(
    task: Task, work: Work, nowhere: Mapping[TaskId, str], terms: Leaving, policy: Policy
) -> str:
    fate, service = fate_of(task, work, nowhere), work.services.get(task.service)
    if fate is Fate.STOPPING:
        return "it is already stopping"
    if service is None:
        return "its service has been removed"
    match fate:
        case Fate.RUNS_ON if service.is_job:
            return "it runs until it ends, because Swarm's drain does not stop jobs"
        case Fate.RUNS_ON:
            cut_off_at = leave_by(terms, policy)
            return f"it keeps running until it ends, or is cut off at {cut_off_at:%H:%M:%S} UTC"
        case Fate.WAITS:
            drained_at = drain_by(terms, policy)
            return (
                f"it moves when its service's update ({service.update_state}) ends, or is left to"
                f" Swarm's drain at {drained_at:%H:%M:%S} UTC"
            )
        case Fate.STRANDED:
            stopped_at = stop_by(terms, policy, service.stop_grace)
            return (
                f"{nowhere[task.id]}; it waits for a node, and Swarm's drain stops it at"
                f" {stopped_at:%H:%M:%S} UTC"
            )
        case Fate.MOVED if service.has_health_check:
            return "it stops once a replacement is healthy elsewhere"
        case Fate.MOVED:
            return f"it stops once a replacement has started elsewhere; {UNCHECKED}"
    why = _why_stopped_first(service)
    return f"{why}; {nowhere[task.id]}" if task.id in nowhere else why


def _why_stopped_first(service: Service) -> str:
    if service.mode == "global":
        return "it stops, because its service is global: each node that can run it has its own task"
    if service.labels.get(LABEL_EVACUATE) == Manner.STOP_FIRST:
        why = f"the service has the label {LABEL_EVACUATE}={Manner.STOP_FIRST.value}"
    elif service.has_host_ports:
        why = "the service uses a port of the host"
    elif service.has_local_volumes:
        why = "the service's data is on this machine"
    else:
        why = "only one node at a time can have its volume"
    return f"it stops before a replacement starts, because {why}"


def stranded(
    node: Node, view: View, work: Work, *, only: Collection[ServiceId] | None = None
) -> Iterator[str]:
    """Yield a sentence about each service whose tasks cannot run on any other node now.

    `only` limits the result to these services.
    """
    yield from moving.sentences(node, view, work, only=only)
