"""The swarm as the managers' sockets tell it, looked at from the host several times a second.

Rule: no process is started in a machine to look. A command there takes half a core for a moment,
and whoever measures would measure that.
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
    """One node, by the swarm's word."""

    id: str
    hostname: str
    role: str
    status: str
    availability: str
    labels: Mapping[str, str]
    is_leader: bool = False

    @property
    def instance(self) -> str:
        """The instance it is bound to, or nothing."""
        return self.labels.get(LABEL_INSTANCE, "")

    @property
    def is_serving(self) -> bool:
        """Whether it takes tasks and is bound."""
        return self.status == "ready" and self.availability == "active" and bool(self.instance)


@dataclass(frozen=True, slots=True)
class Task:
    """One task that is on a node, or is to be."""

    id: str
    service: str
    slot: int
    node: str
    state: str
    is_wanted: bool

    @property
    def is_there(self) -> bool:
        """Whether it may still have a container."""
        return self.state not in _GONE

    @property
    def is_up(self) -> bool:
        """Whether it runs; one with a health check has passed it."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Service:
    """One replicated service."""

    id: str
    name: str
    replicas: int
    is_settled: bool
    """No update under way, and nothing borrowed."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look; `at` is by the monotonic clock, when all answers were there."""

    at: float
    nodes: Mapping[str, Node]
    services: Mapping[str, Service]
    tasks: tuple[Task, ...]
    """Of replicated services, those that are there or are to be."""

    def on(self, node: str) -> list[Task]:
        """What is on a node."""
        return [task for task in self.tasks if task.node == node and task.is_there]

    def of(self, service: str) -> list[Task]:
        """What is wanted of a service."""
        return [task for task in self.tasks if task.service == service and task.is_wanted]

    def is_up_without(self, node: str) -> bool:
        """Whether every service has all its tasks up, none of them on this node."""
        return all(
            sum(task.is_up and task.node != node for task in self.of(one.id)) >= one.replicas
            for one in self.services.values()
        )

    @property
    def is_settled(self) -> bool:
        """Whether nothing moves: all tasks up, none on its way out, no service changing."""
        return all(
            one.is_settled and sum(task.is_up for task in self.of(one.id)) == one.replicas
            for one in self.services.values()
        ) and all(task.is_wanted for task in self.tasks)


class Sight:
    """Looks by way of whichever manager answers."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def look(self, *, leaving: str = "") -> Look:
        """Nodes, replicated services and their tasks.

        With a node that is `leaving`, tasks that are on their way out are looked for on that one
        alone, which is much cheaper: a swarm keeps the history of every task.

        Raises:
            LabError: no manager answers.
        """
        nodes = {one["ID"]: _node(one) for one in self.engine("/nodes")}
        services = {
            one["ID"]: _service(one)
            for one in self.engine("/services")
            if "Replicated" in one["Spec"]["Mode"]
        }
        others = {"node": [leaving]} if leaving in nodes else {"desired-state": ["shutdown"]}
        told = self._tasks({"desired-state": ["running"]})
        if not leaving or leaving in nodes:
            told += self._tasks(others)
        tasks = {one["ID"]: _task(one) for one in told if one["ServiceID"] in services}
        there = [task for task in tasks.values() if task.is_there and task.node in {*nodes, ""}]
        return Look(clock.monotonic(), nodes, services, tuple(there))

    def _tasks(self, filters: Mapping[str, list[str]]) -> list[Any]:
        return list(self.engine(f"/tasks?filters={quote(json.dumps(filters))}"))

    def engine(self, path: str, method: str = "GET", body: object = None) -> Any:
        """What a manager's engine answers.

        Raises:
            LabError: none does, or it refuses.
        """
        said = "no manager runs"
        for machine in managers(self._lab):
            try:
                status, answer = machine.ask_engine(path, method, body)
            except (OSError, LabError) as exc:
                said = str(exc)
                continue
            if status < http.HTTPStatus.BAD_REQUEST:
                return answer
            said = str(answer)
        raise LabError(f"{method} {path}: {said}")

    def leader(self, path: str, body: object = None) -> Any:
        """What the active leader answers on its admin socket; None when there is none."""
        for machine in managers(self._lab):
            try:
                status, answer = machine.ask_leader(path, body)
            except (OSError, LabError):
                continue
            if status == http.HTTPStatus.OK:
                return answer
        return None


def _node(told: Mapping[str, Any]) -> Node:
    spec = told["Spec"]
    return Node(
        id=told["ID"],
        hostname=told["Description"].get("Hostname", ""),
        role=spec["Role"],
        status=told["Status"]["State"],
        availability=spec["Availability"],
        labels=spec.get("Labels") or {},
        is_leader=bool((told.get("ManagerStatus") or {}).get("Leader")),
    )


def _service(told: Mapping[str, Any]) -> Service:
    spec = told["Spec"]
    state = (told.get("UpdateStatus") or {}).get("State", "")
    return Service(
        id=told["ID"],
        name=spec["Name"],
        replicas=spec["Mode"]["Replicated"]["Replicas"],
        is_settled=state in _SETTLED and LABEL_LOAN not in (spec.get("Labels") or {}),
    )


def _task(told: Mapping[str, Any]) -> Task:
    return Task(
        id=told["ID"],
        service=told["ServiceID"],
        slot=told.get("Slot", 0),
        node=told.get("NodeID", ""),
        state=told["Status"]["State"],
        is_wanted=told["DesiredState"] in {"running", "ready"},
    )
