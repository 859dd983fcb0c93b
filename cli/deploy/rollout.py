"""Record the state before a deployment, and observe what the deployment does to it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.deploy.recovery import records
from cli.deploy.recovery.record import Before, record_of
from cli.deploy.recovery.records import Stored
from cli.deploy.stackfile.stack import Stack
from cli.edges.docker_cli import Docker
from cli.progress.failures import Failure
from cli.progress.services import Convergence, ServiceProgress, Verdict, service_progress
from cli.progress.specs import is_same_spec
from cli.terminal.exits import say
from cli.terminal.live import POLL_SECONDS
from runtime import clock

_FAILURES_SHOWN: Final = 3
_JUDGED_SECONDS: Final = 5.0
"""How long to watch whether the services of an earlier deployment stay as that one wanted them."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """The state of a deployment at one moment."""

    services: list[ServiceProgress]
    verdict: Verdict

    @property
    def blamed(self) -> list[ServiceProgress]:
        """The services that keep the deployment from converging."""
        failed = [service for service in self.services if service.state == "failed"]
        stuck = [service for service in self.services if service.is_stuck]
        return failed or stuck or [row for row in self.services if row.state != "steady"]

    @property
    def last_failures(self) -> list[Failure]:
        """The latest failed task of each of the first few blamed services.

        If no task has failed, a task that waits stands for its service.
        """
        tasks = [(service.failures or service.waits) for service in self.blamed]
        return [rows[-1] for rows in tasks if rows][:_FAILURES_SHOWN]


@dataclass
class Rollout:
    """The state before a deployment, and the services that the deployment has changed."""

    stored: Stored
    tasks: frozenset[str]
    """The ids of the tasks that existed before."""
    services: list[str]
    """The names in the swarm of the services in the stack file."""
    is_continued: bool = False
    """Whether the record is of an earlier deployment, which may have changed other services."""
    versions: dict[str, int] = field(default_factory=dict)
    """The version of each service's row when this deployment began."""
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    last: Look | None = None
    has_compared: bool = False

    def before(self, row: Row) -> Before | None:
        """Return what a service was before the deployment, or None if it is new."""
        return self.stored.record.of(row)

    def change_of(self, name: str) -> Literal["created", "updated", "unchanged"]:
        """Return whether the deployment created a service, updated it or left it unchanged."""
        if name in self.created:
            return "created"
        return "updated" if name in self.updated else "unchanged"

    def compare(self, rows: Sequence[Row], progress: Sequence[ServiceProgress]) -> None:
        """Note which services the deployment has created or updated.

        Call this once, right after Docker has ended. What somebody changes later is not ours.
        `rows` has all services of the stack in the swarm. Docker changes only those of the stack
        file, but an earlier deployment, whose record this one continues, may have changed others.
        """
        rolled_back = {service.name for service in progress if service.is_rolled_back_by_swarm}
        # A service that Docker did not write can still show the rollback of an earlier deployment.
        rolled_back &= {
            _name(row) for row in rows if _version(row) != self.versions.get(_name(row))
        }
        for row in rows:
            before, name = self.before(row), _name(row)
            if name not in self.services and not self.is_continued:
                continue
            if before is None:
                self.created.append(name)
            elif name in rolled_back or not is_same_spec(before.spec, row["Spec"]):
                self.updated.append(name)
        # Somebody has removed these services in the meantime.
        present = {row["ID"] for row in rows}
        befores = self.stored.record.services.items()
        self.updated += [
            name
            for name, before in befores
            if name in self.services and before.id not in present and name not in self.created
        ]
        self.has_compared = True


def begin(
    docker: Docker, stack: Stack, services: Sequence[Row], progress: Sequence[ServiceProgress]
) -> Rollout:
    """Record what the stack's services are before anything is changed.

    If an earlier deployment has not ended, its record stays: the state before that deployment is
    the last one that is known to be whole.

    Raises:
        RefusedError: if another deployment of the stack has just begun.
    """
    stored = _unfinished(docker, stack.name, services)
    ids = frozenset(task["ID"] for task in docker.tasks(stack.name))
    is_continued = stored is not None
    if stored is None:
        by = records.operator()
        record = record_of(stack.name, services, progress, at=clock.now(), by=by)
        stored = records.keep(docker, record)
    names = [f"{stack.name}_{name}" for name in stack.services]
    versions = {_name(row): _version(row) for row in services}
    return Rollout(stored, ids, names, is_continued=is_continued, versions=versions)


def _unfinished(docker: Docker, stack: str, services: Sequence[Row]) -> Stored | None:
    """Return the record of an earlier deployment that has not ended, or None."""
    stored = records.find(docker, stack)
    if stored is None:
        return None
    record = stored.record
    is_obsolete = bool(record.services) and not any(record.of(row) for row in services)
    if is_obsolete or (stored.is_applied and _runs_as_requested(docker, stack)):
        records.forget(docker, stored)
        return None
    say(
        f"the deployment of {stack} that {record.by} began at {record.begun:%Y-%m-%d %H:%M:%S} UTC"
        " has not ended. This deployment takes its place: if it fails, the services get back what"
        " they were before that deployment"
    )
    records.take_over(docker, stored)
    return stored


def _runs_as_requested(docker: Docker, stack: str) -> bool:
    """Return whether all services of the stack are steady, and stay so for a few seconds."""
    convergence = Convergence(timeout_seconds=_JUDGED_SECONDS)
    while True:
        progress = observe(docker, docker.services(stack), stack)
        verdict = convergence.update(progress, clock.monotonic())
        if verdict != "under way":
            return verdict == "converged"
        time.sleep(POLL_SECONDS)


def look(docker: Docker, stack: Stack, rollout: Rollout, convergence: Convergence) -> Look:
    """Return the current state of the services in the deployed stack file."""
    every = docker.services(stack.name)
    rows = [row for row in every if _name(row) in rollout.services]
    progress = observe(docker, rows, stack.name, rollout)
    removed = sorted(set(rollout.services) - {service.name for service in progress})
    progress += [ServiceProgress(name, "", "failed", 0, 1, "removed") for name in removed]
    if not rollout.has_compared:
        rollout.compare(every, progress)
    rollout.last = Look(progress, convergence.update(progress, clock.monotonic()))
    return rollout.last


def observe(
    docker: Docker, rows: Sequence[Row], stack: str, rollout: Rollout | None = None
) -> list[ServiceProgress]:
    """Return the progress of these services, in the order of their names."""
    nodes, tasks = docker.nodes(), docker.tasks(stack)
    progress = []
    for row in rows:
        before = rollout.before(row) if rollout else None
        progress.append(
            service_progress(
                row,
                tasks,
                nodes,
                before=rollout.tasks if rollout else frozenset(),
                old=before.spec if before else None,
            )
        )
    return sorted(progress, key=lambda service: service.name)


def _version(service: Row) -> int:
    return int(service["Version"]["Index"])


def _name(service: Row) -> str:
    return str(service["Spec"]["Name"])
