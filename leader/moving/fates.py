"""How each task leaves a node that is being emptied: the rules that decisions and reports share."""

from enum import StrEnum

from leader.moving.loan import is_changeable, loan_of
from leader.view.ids import NodeId
from leader.view.model import Node, View
from leader.view.work import Service, Task, Work
from wire.labels import LABEL_EVACUATE, LEAVING
from wire.messages import Availability


class Manner(StrEnum):
    """How a service's tasks leave a node: the values of its label `spotswarm.evacuate`."""

    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"
    """Left to Swarm's drain, because it must not run twice or cannot be moved."""
    NEVER = "never"
    """Left running until the node leaves."""


class Fate(StrEnum):
    """What happens to one task on a node that is being emptied."""

    MOVED = "moved"
    """A replacement is up elsewhere before it stops."""
    WAITS = "waits"
    """It is moved once its service's own update has ended."""
    DRAINED = "drained"
    """Swarm's drain stops it before a replacement starts."""
    RUNS_ON = "runs-on"
    """It is left alone until it ends or the node leaves."""
    STOPPING = "stopping"
    """It is being stopped already."""


def manner(service: Service) -> Manner:
    """What the service's label says, or what suits its kind."""
    if service.mode != "replicated":
        return Manner.STOP_FIRST
    label = service.labels.get(LABEL_EVACUATE)
    if label in set(Manner):
        return Manner(label)
    if service.has_host_ports or service.has_local_volumes:
        return Manner.STOP_FIRST
    return Manner.START_FIRST


def fate_of(task: Task, work: Work) -> Fate:
    """What happens to a task if its node is emptied now."""
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
    return Fate.MOVED if is_changeable(service, loan_of(service)) else Fate.WAITS


def is_emptying(node: Node) -> bool:
    """Whether tasks are being moved off a node: it is leaving and not drained yet."""
    return node.phase == LEAVING and node.availability is Availability.PAUSE


def is_replaced(task: Task, view: View, work: Work) -> bool:
    """Whether a later task of its slot serves on a node that is not being emptied.

    An earlier one does not count: in a user's own update it ends as soon as this task is up.
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
    """The tasks on a node that must be moved and have no replacement up elsewhere yet."""
    return tuple(
        task
        for task in work.on(node)
        if fate_of(task, work) in {Fate.MOVED, Fate.WAITS} and not is_replaced(task, view, work)
    )
