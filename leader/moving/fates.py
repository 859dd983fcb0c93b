"""Determines how each task leaves a node that is being emptied.

Decisions and reports both use this module.
"""

from collections.abc import Container
from enum import StrEnum

from leader.moving.loan import is_changeable, loan_of
from leader.view.ids import NodeId, TaskId
from leader.view.model import Node, View
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_EVACUATE, LEAVING
from wire.messages import Availability


class Manner(StrEnum):
    """How a service's tasks leave a node, as set by the label `spotswarm.evacuate`."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"
    """Swarm's drain stops the tasks, which must not run twice or cannot start elsewhere first."""
    NEVER = "never"
    """The tasks keep running until they end or the node leaves."""


class Fate(StrEnum):
    """What happens to one task on a node that is being emptied."""

    MOVED = "moved"
    """The task stops once a replacement is up elsewhere."""
    STRANDED = "stranded"
    """No other node can take the task now. It waits for one until Swarm's drain stops it."""
    WAITS = "waits"
    """The task moves once the owner's update of the service has ended."""
    DRAINED = "drained"
    """Swarm's drain stops the task before starting a replacement."""
    RUNS_ON = "runs-on"
    """The task runs until it ends or the node leaves."""
    STOPPING = "stopping"
    """The task is already being stopped."""


def manner(service: Service) -> Manner:
    """Return how a service's tasks leave a node, based on the service's label or type.

    Whatever the label says, Swarm's drain does not stop a job's tasks.
    """
    if service.is_job:
        return Manner.NEVER
    if service.mode != "replicated":
        return Manner.STOP_FIRST
    label = service.labels.get(LABEL_EVACUATE)
    if label in set(Manner):
        return Manner(label)
    if service.has_host_ports or service.has_local_volumes or service.has_single_node_volumes:
        return Manner.STOP_FIRST
    return Manner.START_FIRST


def fate_of(task: Task, work: Work, stranded: Container[TaskId] = ()) -> Fate:
    """Return what happens to a task if its node is emptied now.

    `stranded` has the tasks that no other node can take; see `leader.moving.stranded`.
    """
    if not task.is_wanted:
        return Fate.STOPPING
    service = work.services.get(task.service)
    if service is None:
        return Fate.DRAINED
    match manner(service):
        case Manner.NEVER:
            return Fate.RUNS_ON
        case Manner.STOP_FIRST:
            return Fate.DRAINED
    if not is_changeable(service, loan_of(service)):
        return Fate.WAITS
    return Fate.STRANDED if task.id in stranded else Fate.MOVED


def delays_drain(task: Task, work: Work) -> bool:
    """Whether a task should end by itself, and the drain would stop it before."""
    service = work.services.get(task.service)
    return service is not None and not service.is_job and fate_of(task, work) is Fate.RUNS_ON


def is_emptying(node: Node) -> bool:
    """Whether a node is leaving and its tasks are still being moved to other nodes."""
    return node.phase == LEAVING and node.availability is Availability.PAUSE


def is_replaced(task: Task, view: View, work: Work) -> bool:
    """Whether a newer task in the same slot is up on a node that is not being emptied.

    An older task does not count, because an update by the owner stops the older task as soon as
    the newer task is up.
    """
    return bool(task.slot) and any(
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


def to_move(node: NodeId, view: View, work: Work) -> tuple[Task, ...]:
    """Return the node's tasks that must move but have no running replacement elsewhere yet."""
    return tuple(
        task
        for task in work.on(node)
        if fate_of(task, work) in {Fate.MOVED, Fate.WAITS} and not is_replaced(task, view, work)
    )
