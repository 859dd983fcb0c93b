"""Reads the swarm's state through the managers' sockets, several times a second.

Rule: do not start processes on a machine, because each process briefly uses half a core and
distorts measurements.
"""

import http
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from lab.client import Lab
from lab.host import LabError
from lab.load.ingress import managers
from runtime import clock
from wire.labels import LABEL_INSTANCE, LABEL_LOAN

_GONE: Final = frozenset({"complete", "shutdown", "failed", "rejected", "remove", "orphaned"})
_SETTLED: Final = frozenset({"", "completed", "rollback_completed"})


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the swarm describes it."""

    id: str
    hostname: str
    role: str
    status: str
    availability: str
    labels: Mapping[str, str]
    is_leader: bool = False

    @property
    def instance(self) -> str:
        """The id of the instance that the node is bound to, or an empty string."""
        return self.labels.get(LABEL_INSTANCE, "")

    @property
    def is_serving(self) -> bool:
        """Whether the node accepts tasks and is bound to an instance."""
        return self.status == "ready" and self.availability == "active" and bool(self.instance)


@dataclass(frozen=True, slots=True)
class Task:
    """A task that is on a node or waiting for a node."""

    id: str
    service: str
    slot: int
    node: str
    state: str
    is_wanted: bool

    @property
    def is_there(self) -> bool:
        """Whether the task may still have a container."""
        return self.state not in _GONE

    @property
    def is_up(self) -> bool:
        """Whether the task is running and, if it has a health check, healthy."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Service:
    """A replicated service."""

    id: str
    name: str
    replicas: int
    is_settled: bool
    """Whether the service has no update in progress and no loan."""


@dataclass(frozen=True, slots=True)
class Look:
    """One observation of the swarm; `at` is the monotonic time when the last response arrived."""

    at: float
    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: tuple[Task, ...]
    """The replicated services' tasks that exist or will exist."""

    def on(self, node: str) -> list[Task]:
        """Return the tasks on a node."""
        return [task for task in self.tasks if task.node == node and task.is_there]

    def of(self, service: str) -> list[Task]:
        """Return the tasks that Swarm wants to run for a service."""
        return [task for task in self.tasks if task.service == service and task.is_wanted]

    def is_up_without(self, node: str) -> bool:
        """Return whether every service has all its replicas up on nodes other than `node`."""
        return all(
            sum(task.is_up and task.node != node for task in self.of(service.id))
            >= service.replicas
            for service in self.services.values()
        )

    @property
    def is_settled(self) -> bool:
        """Whether all tasks are up, no task is stopping, and no service is changing."""
        return all(
            service.is_settled
            and sum(task.is_up for task in self.of(service.id)) == service.replicas
            for service in self.services.values()
        ) and all(task.is_wanted for task in self.tasks)


class Sight:
    """Reads the swarm's state from any manager that responds."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def look(self, *, leaving: str = "") -> Look:
        """Return the nodes, the replicated services and their tasks.

        If `leaving` is a node's id, only that node is searched for tasks that are stopping. This is
        much cheaper than searching every node.

        Raises:
            LabError: if no manager responds.
        """
        nodes = {node["ID"]: _node(node) for node in self.engine("/nodes")}
        services = {
            service["ID"]: _service(service)
            for service in self.engine("/services")
            if "Replicated" in service["Spec"]["Mode"]
        }
        others = {"node": [leaving]} if leaving in nodes else {"desired-state": ["shutdown"]}
        listed = self._tasks({"desired-state": ["running"]})
        if not leaving or leaving in nodes:
            listed += self._tasks(others)
        tasks = {task["ID"]: _task(task) for task in listed if task["ServiceID"] in services}
        present = [task for task in tasks.values() if task.is_there and task.node in {*nodes, ""}]
        return Look(clock.monotonic(), nodes, services, tuple(present))

    def _tasks(self, filters: Mapping[str, list[str]]) -> list[Any]:
        return list(self.engine(f"/tasks?filters={quote(json.dumps(filters))}"))

    def engine(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Call the engine's API on one manager after another; return the first valid response.

        Raises:
            LabError: if the call fails on all managers.
        """
        problem = "no manager is running"
        for machine in managers(self._lab):
            try:
                status, answer = machine.ask_engine(path, method, body)
            except (OSError, LabError) as exc:
                problem = str(exc)
                continue
            if status < http.HTTPStatus.BAD_REQUEST:
                return answer
            problem = str(answer)
        raise LabError(f"{method} {path} failed on all managers: {problem}")

    def leader(self, path: str, body: object = None) -> Any:
        """Return the active leader's response to a request, or None if no leader responds."""
        for machine in managers(self._lab):
            try:
                status, answer = machine.ask_leader(path, body)
            except (OSError, LabError):
                continue
            if status == http.HTTPStatus.OK:
                return answer
        return None


def _node(node: Mapping[str, Any]) -> Node:
    spec = node["Spec"]
    return Node(
        id=node["ID"],
        hostname=node["Description"].get("Hostname", ""),
        role=spec["Role"],
        status=node["Status"]["State"],
        availability=spec["Availability"],
        labels=spec.get("Labels") or {},
        is_leader=bool((node.get("ManagerStatus") or {}).get("Leader")),
    )


def _service(service: Mapping[str, Any]) -> Service:
    spec = service["Spec"]
    state = (service.get("UpdateStatus") or {}).get("State", "")
    return Service(
        id=service["ID"],
        name=spec["Name"],
        replicas=spec["Mode"]["Replicated"]["Replicas"],
        is_settled=state in _SETTLED and LABEL_LOAN not in (spec.get("Labels") or {}),
    )


def _task(task: Mapping[str, Any]) -> Task:
    return Task(
        id=task["ID"],
        service=task["ServiceID"],
        slot=task.get("Slot", 0),
        node=task.get("NodeID", ""),
        state=task["Status"]["State"],
        is_wanted=task["DesiredState"] in {"running", "ready"},
    )
