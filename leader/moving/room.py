"""Determines which nodes have room for more tasks of a service, as Swarm's scheduler does.

Rule: check what the scheduler's filters check (swarmkit, `manager/scheduler/filter.go`). A task
that is placed here takes its share of the node, so several tasks are never promised one place.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from leader.moving.loan import loan_of
from leader.view.ids import NodeId, ServiceId
from leader.view.model import Node
from leader.view.work import Service, Work
from wire.platforms import platform_text, runs_on

_NAMED: Final = 3
"""How many nodes a sentence names."""


class Obstacle(NamedTuple):
    """Why a node cannot take a task."""

    all_nodes: str
    """The obstacle as a sentence about every other node."""
    this_node: str
    """The obstacle as the end of a sentence about one node."""


@dataclass(slots=True)
class _Load:
    """What the tasks on one node use."""

    tasks: Counter[ServiceId] = field(default_factory=Counter)
    cpu: int = 0
    memory: int = 0
    generic: Counter[str] = field(default_factory=Counter)
    ports: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, service: Service) -> None:
        self.tasks[service.id] += 1
        self.cpu += service.cpu
        self.memory += service.memory
        self.generic.update(service.generic)
        self.ports.update(service.host_ports)


class Room:
    """The room on these nodes, beside the tasks that run there or were placed by `place`."""

    def __init__(self, nodes: Mapping[NodeId, Node], work: Work) -> None:
        self._nodes = nodes
        self._work = work
        self._loads: dict[NodeId, _Load] = {}

    def obstacle(self, node: Node, service: Service, more: int = 1) -> Obstacle | None:
        """Return why a node cannot take this many more tasks of a service, or None if it can.

        Constraints and the node's availability are not checked; see `placement.eligible`.
        """
        obstacle = unsuitable(node, service)
        if obstacle is not None or not _takes_room(service):
            return obstacle
        load = self._load(node.id)
        return _full(node, service, load, more) or _busy(service, load, more)

    def place(self, service: Service, able: Collection[NodeId]) -> str:
        """Place one task on one of these nodes, as Swarm would, or say why none can take it.

        `able` has the nodes that take tasks and meet the service's constraints; the sentence is
        about all nodes but the one that the task leaves.
        """
        if not able:
            loan = loan_of(service)
            ours = () if loan is None else loan.constraints
            terms = ", ".join(text for text in service.constraints if text not in ours)
            return f"no other node{f' that satisfies {terms}' if terms else ''} takes tasks"
        obstacles = {
            name: obstacle
            for name in able
            if (obstacle := self.obstacle(self._nodes[name], service)) is not None
        }
        free = [name for name in able if name not in obstacles]
        if not free:
            return self._sentence(obstacles)
        chosen = min(free, key=lambda name: self._rank(name, service))
        self._load(chosen).add(service)
        return ""

    def _rank(self, name: NodeId, service: Service) -> tuple[int, int]:
        tasks = self._load(name).tasks
        return tasks[service.id], tasks.total()

    def _load(self, name: NodeId) -> _Load:
        if name not in self._loads:
            load = self._loads[name] = _Load()
            for task in self._work.on(name):
                service = self._work.services.get(task.service)
                if task.is_wanted and service is not None:
                    load.add(service)
        return self._loads[name]

    def _sentence(self, obstacles: Mapping[NodeId, Obstacle]) -> str:
        if len({obstacle.all_nodes for obstacle in obstacles.values()}) == 1:
            return next(iter(obstacles.values())).all_nodes
        parts = [
            f"{self._nodes[name].hostname} {obstacle.this_node}"
            for name, obstacle in sorted(obstacles.items())
        ]
        more = len(parts) - _NAMED
        return ", ".join(parts[:_NAMED]) + (f" and {more} more cannot either" if more > 0 else "")


def _takes_room(service: Service) -> bool:
    return bool(
        service.cpu
        or service.memory
        or service.generic
        or service.most_per_node
        or service.host_ports
    )


def unsuitable(node: Node, service: Service) -> Obstacle | None:
    """Return why a node can never run a service's tasks, however empty it is, or None if it can."""
    if not runs_on(node.platform, service.platforms):
        wanted = " or ".join(map(platform_text, service.platforms))
        return Obstacle(
            f"its image is for {wanted}, and no other node is",
            f"is {platform_text(node.platform)}, but its image is for {wanted}",
        )
    plugins = node.volume_plugins
    missing = service.volume_plugins - plugins if plugins is not None else frozenset()
    if missing:
        names = ", ".join(sorted(missing))
        return Obstacle(f"no other node has the volume plugin {names}", f"lacks {names}")
    for kind, count in service.generic.items():
        if node.generic.get(kind, 0) < count:
            wanted = _amount(count, kind)
            return Obstacle(f"no other node has {wanted}", f"does not have {wanted}")
    return None


def _full(node: Node, service: Service, load: _Load, more: int) -> Obstacle | None:
    """Return the resource that a node has too little of, or None if it has enough of all."""
    if (service.cpu and node.cpu - load.cpu < service.cpu * more) or (
        service.memory and node.memory - load.memory < service.memory * more
    ):
        return Obstacle(
            "no other node has room for another task, because too little CPU or memory is free",
            "has too little free CPU or memory",
        )
    for kind, count in service.generic.items():
        if node.generic.get(kind, 0) - load.generic[kind] < count * more:
            wanted = _amount(count, kind, "free ")
            return Obstacle(f"no other node has {wanted}", f"does not have {wanted}")
    return None


def _busy(service: Service, load: _Load, more: int) -> Obstacle | None:
    """Return the limit or the port that keeps more tasks of a service off a node, or None."""
    most = service.most_per_node
    if most and load.tasks[service.id] + more > most:
        limit = "1 task" if most == 1 else f"{most} tasks"
        return Obstacle(
            f"its service allows {limit} per node, and no other node has room for another task",
            f"already has {load.tasks[service.id]} of the {limit} that its service allows per node",
        )
    taken = sorted(port for _, port in service.host_ports & load.ports.keys())
    if taken:
        return Obstacle(
            f"every other node uses port {taken[0]} already", f"uses port {taken[0]} already"
        )
    return None


def _amount(count: int, kind: str, state: str = "") -> str:
    """Return an amount of a generic resource as text, such as `a gpu` or `2 free gpu`."""
    if count != 1:
        return f"{count} {state}{kind}"
    return f"a{'n' if (state + kind)[:1].lower() in set('aeiou') else ''} {state}{kind}"
