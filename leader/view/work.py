"""The swarm's services and tasks, indexed by node and by service.

Rule: a task is *wanted* if the swarm wants it to run, and *up* if it is running. A task that is
being stopped is no longer wanted, but it stays up until its process ends. This module makes no
decisions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from leader.view.ids import NodeId, ServiceId, TaskId
from wire.platforms import Platform

Mode = Literal["replicated", "global", "replicated-job", "global-job"]

_JOBS = frozenset({"replicated-job", "global-job"})
_OVER = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_BROKEN = frozenset({"failed", "rejected"})
_WANTED = frozenset({"ready", "running", "complete"})
"""A job's tasks have the desired state `complete` from the beginning."""
_UNPLACED = "no suitable node"
_SETTLED = frozenset({"", "completed", "rollback_completed"})


@dataclass(frozen=True, slots=True)
class Service:
    """A service, as described by its spec; `update` is `UpdateConfig` in the Docker API."""

    id: ServiceId
    name: str
    version: int
    mode: Mode = "replicated"
    replicas: int = 0
    constraints: tuple[str, ...] = ()
    has_preferences: bool = False
    most_per_node: int = 0
    """The highest number of tasks on one node (MaxReplicas); 0 means no limit."""
    update: Mapping[str, Any] | None = None
    update_state: str = ""
    """UpdateStatus.State, which is empty before the first update and right after a change."""
    template: str = ""
    """The task spec without the placement, as text. Services with equal texts start equal tasks."""
    has_health_check: bool = False
    has_host_ports: bool = False
    has_local_volumes: bool = False
    has_single_node_volumes: bool = False
    """Whether it mounts a volume that only one node or task can have at the same time."""
    host_ports: frozenset[tuple[str, int]] = frozenset()
    """The protocol and the number of each port that it publishes on its nodes."""
    volume_plugins: frozenset[str] = frozenset()
    """The volume plugins that a node needs to run its tasks."""
    platforms: tuple[Platform, ...] = ()
    """The platforms that its image is built for; empty means any."""
    generic: Mapping[str, int] = field(default_factory=dict)
    """The generic resources that each task reserves, such as `{"gpu": 1}`."""
    cpu: int = 0
    """The CPU reservation of each task, in billionths of a core."""
    memory: int = 0
    """The memory reservation of each task, in bytes."""
    stop_grace: timedelta = timedelta(seconds=10)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_job(self) -> bool:
        """Whether its tasks are meant to end."""
        return self.mode in _JOBS

    @property
    def is_settled(self) -> bool:
        """Whether the service has no update that is in progress, paused or rolling back."""
        return self.update_state in _SETTLED


@dataclass(frozen=True, slots=True)
class Task:
    """A task; `node` is None until the scheduler has placed the task."""

    id: TaskId
    service: ServiceId
    slot: int
    node: NodeId | None
    state: str
    desired: str
    created: datetime
    trouble: str = ""
    """The engine's message about why the task is not up."""
    may_end: bool = False
    """Whether the task may end by itself: it belongs to a job, or Swarm restarts only failures."""

    @property
    def is_wanted(self) -> bool:
        """Whether the swarm wants the task to run and the task has not ended."""
        return self.desired in _WANTED and self.state not in _OVER

    @property
    def is_up(self) -> bool:
        """Whether the task has started and, if it has a health check, is healthy."""
        return self.state == "running"

    @property
    def is_there(self) -> bool:
        """Whether the task's process may still be running on a node."""
        return self.node is not None and self.state not in _OVER and self.state != "new"

    @property
    def is_broken(self) -> bool:
        """Whether the task failed, was rejected, or ended although it should run on.

        A program that exits with 0 when its failed health check makes Swarm stop it has `complete`
        as its state, too.
        """
        return self.state in _BROKEN or (self.state == "complete" and not self.may_end)

    @property
    def is_unplaced(self) -> bool:
        """Whether Swarm has found no node that can take the task."""
        return self.node is None and self.state == "pending" and _UNPLACED in self.trouble


@dataclass(frozen=True, slots=True)
class Work:
    """Services and their tasks, except tasks that ended long ago."""

    services: Mapping[ServiceId, Service] = field(default_factory=dict)
    by_node: Mapping[NodeId, tuple[Task, ...]] = field(default_factory=dict)
    by_service: Mapping[ServiceId, tuple[Task, ...]] = field(default_factory=dict)
    is_complete: bool = True
    """Whether the node of every task is known."""

    @classmethod
    def of(
        cls, services: Iterable[Service], tasks: Iterable[Task], *, is_complete: bool = True
    ) -> "Work":
        """Index the services and tasks by id, node and service."""
        by_node: dict[NodeId, list[Task]] = {}
        by_service: dict[ServiceId, list[Task]] = {}
        for task in tasks:
            by_service.setdefault(task.service, []).append(task)
            if task.node is not None:
                by_node.setdefault(task.node, []).append(task)
        return cls(
            services={service.id: service for service in services},
            by_node={node: tuple(placed) for node, placed in by_node.items()},
            by_service={service: tuple(replicas) for service, replicas in by_service.items()},
            is_complete=is_complete,
        )

    def on(self, node: NodeId) -> tuple[Task, ...]:
        """Return every task that is, or recently was, on the node."""
        return self.by_node.get(node, ())

    def of_service(self, service: ServiceId) -> tuple[Task, ...]:
        """Return every task of a service, including tasks without a node."""
        return self.by_service.get(service, ())

    def still_on(self, node: NodeId) -> tuple[Task, ...]:
        """Return the tasks whose processes may still be running on the node."""
        return tuple(task for task in self.on(node) if task.is_there)

    def name(self, task: Task) -> str:
        """Return the task's name as Docker shows it: `web.3`, or `web` for a global service."""
        service = self.services.get(task.service)
        name = service.name if service else task.service[:12]
        return f"{name}.{task.slot}" if task.slot else name
