"""One deployment in the swarm: what there was before, how it goes, and the way back."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cli.deploy.convergence import Failure, Progress, Watch, is_changed, progress
from cli.deploy.stack import Stack
from cli.edges.docker_cli import Docker
from runtime import clock
from runtime.errors import ClusterError

_UNDOING_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.5
_SHOWN: Final = 3

Row = dict[str, Any]


@dataclass
class Begun:
    """What there was before a deployment, and what the deployment has made of it since."""

    services: dict[str, Row]
    tasks: frozenset[str]
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)

    def change_of(self, name: str) -> Literal["created", "updated", "unchanged"]:
        """What became of a service."""
        if name in self.created:
            return "created"
        return "updated" if name in self.updated else "unchanged"


@dataclass(frozen=True, slots=True)
class Look:
    """How a deployment is at one moment."""

    services: list[Progress]
    verdict: Literal["under way", "converged", "failed", "timeout"]


def begin(docker: Docker, stack: str) -> Begun:
    """Remember what there is, to tell later what is new."""
    services = {one["Spec"]["Name"]: one for one in docker.services(stack)}
    tasks = docker.tasks(list(services))
    return Begun(services, frozenset(task["ID"] for task in tasks))


def watch(timeout_seconds: float) -> Watch:
    """Follows a deployment for so long."""
    return Watch(timeout_seconds=timeout_seconds)


def look(docker: Docker, stack: Stack, begun: Begun, watch: Watch) -> Look:
    """Look once at the services that were deployed."""
    mine = {f"{stack.name}_{name}" for name in stack.services}
    services = [one for one in docker.services(stack.name) if one["Spec"]["Name"] in mine]
    if not begun.created and not begun.updated:
        for one in services:
            name = one["Spec"]["Name"]
            before = begun.services.get(name)
            if before is None:
                begun.created.append(name)
            elif is_changed(before, one):
                begun.updated.append(name)
    found = _progress(docker, services, begun)
    return Look(found, watch.saw(found, clock.monotonic()))


def undo(docker: Docker, stack: Stack, begun: Begun) -> tuple[list[str], list[str]]:
    """Give back the services that were updated what they were; which are that, and which not.

    Swarm rolls back too, by a service's own setting, and others update services at any time: so
    each is looked at until it is what it was, and is given its spec only as the one that was seen.
    """
    deadline = clock.monotonic() + _UNDOING_SECONDS
    while True:
        services = [one for one in docker.services(stack.name) if _name(one) in begun.updated]
        bad = [one for one in services if is_changed(begun.services[_name(one)], one)]
        found = _progress(docker, services, begun)
        is_whole = all(one.running >= one.wanted for one in found)
        if (not bad and is_whole) or clock.monotonic() > deadline:
            left = {_name(one) for one in bad}
            return sorted({_name(one) for one in services} - left), sorted(left)
        for one in bad:
            # Changed by somebody meanwhile, Swarm perhaps: the next look tells.
            with suppress(ClusterError):
                docker.restore(begun.services[_name(one)], one)
        time.sleep(_LOOK_SECONDS)


def _name(service: Row) -> str:
    return str(service["Spec"]["Name"])


def blamed(ended: Look) -> list[Progress]:
    """The services that kept it from converging."""
    failed = [one for one in ended.services if one.state == "failed"]
    return failed or [one for one in ended.services if one.state != "steady"]


def last_failures(blamed: Sequence[Progress]) -> list[Failure]:
    """The last failure of each, of the first few."""
    return [one.failures[-1] for one in blamed if one.failures][:_SHOWN]


def _progress(docker: Docker, services: list[Row], begun: Begun) -> list[Progress]:
    nodes = docker.nodes()
    tasks = docker.tasks([one["Spec"]["Name"] for one in services])
    found = [progress(one, tasks, nodes, before=begun.tasks) for one in services]
    return sorted(found, key=lambda one: one.name)
