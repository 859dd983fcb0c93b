"""The swarm's state, read from the managers' sockets several times a second.

Rule: it starts no process in a machine. A command there takes half a core for a moment, and would
distort a measurement.
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
    """One node, from the swarm's view."""

    id: str
    hostname: str
    role: str
    status: str
    availability: str
    labels: Mapping[str, str]
    is_leader: bool = False

    @property
    def instance(self) -> str:
        """The instance that the node is bound to; empty when there is none."""
        return self.labels.get(LABEL_INSTANCE, "")

    @property
    def is_serving(self) -> bool:
        """Whether the node takes tasks and is bound to an instance."""
        return self.status == "ready" and self.availability == "active" and bool(self.instance)


@dataclass(frozen=True, slots=True)
class Task:
    """One task that is on a node, or will be."""

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
        """Whether the task runs, and has passed its health check if it has one."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Service:
    """One replicated service."""

    id: str
    name: str
    replicas: int
    is_settled: bool
    """Whether the service has no update under way and no borrowed task."""


@dataclass(frozen=True, slots=True)
class Look:
    """One observation; `at` is the monotonic time when all answers had arrived."""

    at: float
    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: tuple[Task, ...]
    """The tasks of replicated services that exist or will exist."""

    def on(self, node: str) -> list[Task]:
        """The tasks on a node."""
        return [task for task in self.tasks if task.node == node and task.is_there]

    def of(self, service: str) -> list[Task]:
        """The tasks that a service wants."""
        return [task for task in self.tasks if task.service == service and task.is_wanted]

    def is_up_without(self, node: str) -> bool:
        """Whether every service has all its tasks up, none of them on this node."""
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
    """Reads the swarm's state from any manager that answers."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def look(self, *, leaving: str = "") -> Look:
        """Nodes, replicated services and their tasks.

        With a node that is `leaving`, the search for stopping tasks covers only that node. This is
        much cheaper, because a swarm keeps the history of every task.

        Raises:
            LabError: no manager answers.
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
        """The answer of a manager's engine.

        Raises:
            LabError: no engine answers, or the engine refuses.
        """
        problem = "no manager runs"
        for machine in managers(self._lab):
            try:
                status, answer = machine.ask_engine(path, method, body)
            except (OSError, LabError) as exc:
                problem = str(exc)
                continue
            if status < http.HTTPStatus.BAD_REQUEST:
                return answer
            problem = str(answer)
        raise LabError(f"{method} {path}: {problem}")

    def leader(self, path: str, body: object = None) -> Any:
        """The active leader's answer on its admin socket; None when there is no leader."""
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
