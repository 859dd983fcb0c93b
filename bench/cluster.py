"""A cluster under load: Traefik on three managers, services on spot workers, and steady traffic.

Rule: a measurement begins only when the cluster has settled. In a settled cluster, every task is
running, no service is being changed, and the cluster has the expected number of workers. Automatic
rebalancing is switched off.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.host import commit, host
from bench.terminal import Report
from lab import sweep
from lab.client import Lab
from lab.commands.sight import Look, Node, Sight
from lab.host import LabError
from lab.load import ingress, traffic
from lab.load.traffic import Plan, Traffic
from lab.load.web_service import WebService
from lab.places import Places
from runtime import clock

POLL_SECONDS: Final = 0.2
"""Time between observations, which load the managers. Figures may be late by up to this time."""
STEADY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class LoadedCluster:
    """A running lab and the services in it."""

    lab: Lab
    sight: Sight
    services: Sequence[WebService]
    workers: int

    def load(self, rate: float) -> Traffic:
        """Start sending a steady stream of requests to all services through all managers.

        Return the process that sends them.
        """
        addresses = [manager.address for manager in ingress.managers(self.lab)]
        return traffic.start(
            Plan(addresses, [service.host for service in self.services], rate=rate)
        )

    def wait_settled(
        self,
        *,
        workers: int = 0,
        within: float = 90,
        and_is: Callable[[], bool] = lambda: True,
    ) -> Look:
        """Wait until the cluster has settled, and return the last observation.

        The cluster must stay settled for `STEADY_SECONDS`. It must have `workers` workers, or the
        initial number if `workers` is 0. `and_is` must also return True.

        Raises:
            LabError: if the cluster does not settle in time. The message describes the cluster.
        """
        deadline = clock.monotonic() + within
        since: float | None = None
        while True:
            look = self.sight.look()
            serving = [worker.is_serving for worker in workers_of(look)]
            is_whole = all(serving) and len(serving) == (workers or self.workers)
            if not (is_whole and look.is_settled and and_is()):
                since = None
            elif since is None:
                since = look.at
            elif look.at - since >= STEADY_SECONDS:
                return look
            if clock.monotonic() > deadline:
                raise LabError(
                    f"the cluster did not settle within {within:.0f} s: {_unsettled(look)}"
                )
            time.sleep(POLL_SECONDS)

    def add_worker(self, *, within: float = 60) -> Node:
        """Launch a spot worker, wait until it accepts tasks, and return its node."""
        (instance,) = self.lab.launch()
        deadline = clock.monotonic() + within
        while clock.monotonic() < deadline:
            for node in self.sight.look(leaving="none").nodes.values():
                if node.instance == instance and node.is_serving:
                    return node
            time.sleep(POLL_SECONDS)
        raise LabError(f"{instance} is not serving after {within:.0f} s")

    def remove_worker(self, node: Node) -> None:
        """Terminate a worker's instance, and immediately remove its node from the swarm."""
        self.lab.terminate(node.instance)
        if node.id in self.sight.look(leaving="none").nodes:
            self.sight.engine(f"/nodes/{node.id}?force=1", "DELETE")


def workers_of(look: Look) -> list[Node]:
    """Return the worker nodes, which run the services."""
    return [node for node in look.nodes.values() if node.role == "worker"]


def _unsettled(look: Look) -> str:
    parts = [f"{node.hostname} {node.status}/{node.availability}" for node in workers_of(look)]
    for service in look.services.values():
        up = sum(task.is_up for task in look.of(service.id))
        if up != service.replicas or not service.is_settled:
            changing = "" if service.is_settled else " changing"
            parts.append(f"{service.name} {up}/{service.replicas}{changing}")
    stopping = sum(not task.is_wanted for task in look.tasks)
    return ", ".join([*parts, f"{stopping} tasks stopping"])


@contextmanager
def prepared(
    services: Sequence[WebService],
    *,
    workers: int,
    report: Report,
    leader: Mapping[str, object] | None = None,
) -> Iterator[LoadedCluster]:
    """Yield a cluster of three managers, plus workers that run services.

    The lab is always taken down afterwards.

    Raises:
        LabError: if another lab is running, or if a node or service does not start.
    """
    with booted(workers=workers, report=report, leader=leader or {}) as lab:
        report("starting Traefik and the services")
        ingress.open_ingress(lab)
        ingress.deploy(lab, *services)
        ingress.wait_served(lab, *services, within=120)
        loaded = LoadedCluster(lab, Sight(lab), services, workers)
        loaded.wait_settled()
        yield loaded


@contextmanager
def booted(*, workers: int, report: Report, leader: Mapping[str, object]) -> Iterator[Lab]:
    """Yield a lab with three managers and several idle workers.

    The lab is always taken down afterwards.

    Raises:
        LabError: if another lab is running, or if a node does not start.
    """
    places = Places.here()
    name = f"bench-{os.getpid()}"
    settings = {"rebalance": False, **leader}
    with taken_down(places, name, report):
        lab = Lab.up(workers=workers, cluster_name=name, leader=settings, report=report)
        report("waiting for the nodes")
        lab.wait_nodes(3 + workers, within=120)
        yield lab


@contextmanager
def taken_down(places: Places, name: str, report: Report) -> Iterator[None]:
    """After the `with` block, take down the running lab if it belongs to the named cluster.

    Raises:
        LabError: if something in the lab cannot be removed.
    """
    try:
        yield
    finally:
        if _is_up(places, name):
            report("taking the lab down")
            if remains := sweep.sweep(places):
                raise LabError("could not remove: " + "; ".join(remains))


def _is_up(places: Places, name: str) -> bool:
    """Return whether the named cluster's lab is running."""
    pid = sweep.daemon(places)
    try:
        return name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def versions(sight: Sight) -> dict[str, Any]:
    """Return the time, facts about the host, the engine's version and the current commit."""
    engine = sight.engine("/version")["Version"]
    return {
        "at": clock.now().isoformat(timespec="seconds"),
        "host": host(),
        "engine": engine,
        "commit": commit(),
    }
