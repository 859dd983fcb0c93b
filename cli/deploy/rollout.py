"""Record the state before a deployment, watch its progress, and roll it back if necessary."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.progress.services import (
    Convergence,
    Failure,
    ServiceProgress,
    Verdict,
    is_changed,
    service_progress,
)
from runtime import clock
from runtime.errors import ClusterError

_ROLLBACK_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.5
_FAILURES_SHOWN: Final = 3

Row = dict[str, Any]


@dataclass
class Rollout:
    """The state before a deployment, and the services that the deployment has changed."""

    services: dict[str, Row]
    tasks: frozenset[str]
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)

    def change_of(self, name: str) -> Literal["created", "updated", "unchanged"]:
        """Return whether the deployment created a service, updated it or left it unchanged."""
        if name in self.created:
            return "created"
        return "updated" if name in self.updated else "unchanged"


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a deployment at one moment."""

    services: list[ServiceProgress]
    verdict: Verdict

    @property
    def blamed(self) -> list[ServiceProgress]:
        """The services that keep the deployment from converging."""
        failed = [service for service in self.services if service.state == "failed"]
        return failed or [service for service in self.services if service.state != "steady"]

    @property
    def last_failures(self) -> list[Failure]:
        """The most recent failures, one for each of the first few services in `blamed`."""
        failures = [service.failures[-1] for service in self.blamed if service.failures]
        return failures[:_FAILURES_SHOWN]


def begin(docker: Docker, stack: str) -> Rollout:
    """Record the stack's services and tasks before the deployment."""
    services = {_name(service): service for service in docker.services(stack)}
    tasks = docker.tasks(list(services))
    return Rollout(services, frozenset(task["ID"] for task in tasks))


def look(docker: Docker, stack: Stack, rollout: Rollout, convergence: Convergence) -> Look:
    """Return the current state of the services in the deployed stack file."""
    deployed = {f"{stack.name}_{name}" for name in stack.services}
    services = [row for row in docker.services(stack.name) if _name(row) in deployed]
    if not rollout.created and not rollout.updated:
        for row in services:
            before = rollout.services.get(_name(row))
            if before is None:
                rollout.created.append(_name(row))
            elif is_changed(before, row):
                rollout.updated.append(_name(row))
    progress = _progress(docker, services, rollout)
    return Look(progress, convergence.update(progress, clock.monotonic()))


def roll_back(docker: Docker, stack: Stack, rollout: Rollout) -> tuple[list[str], list[str]]:
    """Restore the specs of all updated services.

    Return the names of the restored services, and the names of those that could not be restored.

    Swarm may also roll back a service, and other users may update a service at any time. Therefore,
    each service is watched until it has its old spec and its tasks are running. A spec is replaced
    only if it has not changed since it was last read.
    """
    deadline = clock.monotonic() + _ROLLBACK_SECONDS
    while True:
        services = [row for row in docker.services(stack.name) if _name(row) in rollout.updated]
        changed = [row for row in services if is_changed(rollout.services[_name(row)], row)]
        progress = _progress(docker, services, rollout)
        is_complete = all(service.running >= service.wanted for service in progress)
        if (not changed and is_complete) or clock.monotonic() > deadline:
            not_restored = {_name(row) for row in changed}
            return sorted({_name(row) for row in services} - not_restored), sorted(not_restored)
        for row in changed:
            # The engine rejects the request if the service has changed meanwhile: look again.
            with suppress(ClusterError):
                docker.restore(rollout.services[_name(row)], row)
        time.sleep(_POLL_SECONDS)


def _name(service: Row) -> str:
    return str(service["Spec"]["Name"])


def _progress(docker: Docker, services: Sequence[Row], rollout: Rollout) -> list[ServiceProgress]:
    nodes = docker.nodes()
    tasks = docker.tasks([_name(row) for row in services])
    progress = [service_progress(row, tasks, nodes, before=rollout.tasks) for row in services]
    return sorted(progress, key=lambda service: service.name)
