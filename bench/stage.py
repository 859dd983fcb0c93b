"""A cluster at work: Traefik on three managers, services on spot workers, load, and looks at it.

Rule: a measurement begins when nothing moves: every task up, no update, nothing borrowed, as many
workers as there were before. What the product would do by itself in between is switched off.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import figures
from bench.ground import is_up
from lab import cluster, sweep
from lab.client import Lab
from lab.commands.sight import Look, Node, Sight
from lab.host import LabError, run
from lab.load import ingress, traffic
from lab.load.traffic import Plan, Traffic
from lab.load.web_service import WebService
from lab.places import Places
from runtime import clock

LOOK_SECONDS: Final = 0.2
"""Between two looks: what a figure may be late by, and what looking costs the managers."""
STEADY_SECONDS: Final = 2.0
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """The lab that is up, with its services."""

    lab: Lab
    sight: Sight
    services: Sequence[WebService]
    workers: int

    def load(self, rate: float) -> Traffic:
        """Steady requests to all services by way of all managers; returns when they flow."""
        addresses = [one.address for one in ingress.managers(self.lab)]
        return traffic.start(Plan(addresses, [one.host for one in self.services], rate=rate))

    def wait_settled(
        self,
        *,
        workers: int = 0,
        within: float = 90,
        and_is: Callable[[], bool] = lambda: True,
    ) -> Look:
        """Wait until nothing has moved for `STEADY_SECONDS`, with so many workers (or as begun).

        Raises:
            LabError: says what still does.
        """
        deadline = clock.monotonic() + within
        since: float | None = None
        while True:
            look = self.sight.look()
            serving = [one.is_serving for one in workers_of(look)]
            is_whole = all(serving) and len(serving) == (workers or self.workers)
            if not (is_whole and look.is_settled and and_is()):
                since = None
            elif since is None:
                since = look.at
            elif look.at - since >= STEADY_SECONDS:
                return look
            if clock.monotonic() > deadline:
                raise LabError(f"not settled after {within:.0f} s: {_unsettled(look)}")
            time.sleep(LOOK_SECONDS)

    def add_worker(self, *, within: float = 60) -> Node:
        """One more spot worker, serving."""
        (instance,) = self.lab.launch()
        deadline = clock.monotonic() + within
        while clock.monotonic() < deadline:
            for one in self.sight.look(leaving="none").nodes.values():
                if one.instance == instance and one.is_serving:
                    return one
            time.sleep(LOOK_SECONDS)
        raise LabError(f"{instance} does not serve after {within:.0f} s")

    def remove_worker(self, node: Node) -> None:
        """Terminate a worker's instance and take its entry away at once."""
        self.lab.terminate(node.instance)
        if node.id in self.sight.look(leaving="none").nodes:
            self.sight.engine(f"/nodes/{node.id}?force=1", "DELETE")


def workers_of(look: Look) -> list[Node]:
    """The nodes that run services."""
    return [one for one in look.nodes.values() if one.role == "worker"]


def _unsettled(look: Look) -> str:
    said = [f"{one.hostname} {one.status}/{one.availability}" for one in workers_of(look)]
    for one in look.services.values():
        up = sum(task.is_up for task in look.of(one.id))
        if up != one.replicas or not one.is_settled:
            said.append(f"{one.name} {up}/{one.replicas}{'' if one.is_settled else ' changing'}")
    leaving = sum(not task.is_wanted for task in look.tasks)
    return ", ".join([*said, f"{leaving} tasks stopping"])


@contextmanager
def prepared(
    services: Sequence[WebService],
    *,
    workers: int,
    report: Report,
    leader: Mapping[str, object] | None = None,
) -> Iterator[Stage]:
    """Three managers and some workers with these services; taken down at the end, come what may.

    Raises:
        LabError: another lab is up, or something does not come up.
    """
    with booted(workers=workers, report=report, leader=leader or {}) as lab:
        report("starting Traefik and the services")
        ingress.open_ingress(lab)
        ingress.deploy(lab, *services)
        ingress.wait_served(lab, *services, within=120)
        stage = Stage(lab, Sight(lab), services, workers)
        stage.wait_settled()
        yield stage


@contextmanager
def booted(*, workers: int, report: Report, leader: Mapping[str, object]) -> Iterator[Lab]:
    """Three managers and some workers that do nothing; taken down at the end, come what may.

    Raises:
        LabError: another lab is up, or a node does not come up.
    """
    places = Places.here()
    name = f"bench-{os.getpid()}"
    try:
        settings = {"rebalance": False, **leader}
        lab = Lab.up(workers=workers, cluster_name=name, leader=settings, report=report)
        report("waiting for the nodes")
        lab.wait_nodes(3 + workers, within=120)
        yield lab
    finally:
        if is_up(places, name):
            report("taking the lab down")
            if left := sweep.sweep(places):
                raise LabError("could not remove: " + "; ".join(left))


@contextmanager
def progress(total: int) -> Iterator[tuple[Report, Callable[[], None]]]:
    """A bar on stderr: how to say what is done now, and that one step is over."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with shown:
        task = shown.add_task("set-up", total=total)
        yield (
            lambda said: shown.update(task, description=said),
            lambda: shown.advance(task),
        )


def fail(reason: LabError) -> None:
    """Say why it ends, and end."""
    Console(stderr=True).print(str(reason), style="red", markup=False, highlight=False)
    sys.exit(1)


def about(sight: Sight) -> dict[str, Any]:
    """When, on what, and what ran."""
    commit = run("git", "-C", str(cluster.REPOSITORY), "rev-parse", "--short", "HEAD", check=False)
    engine = sight.engine("/version")["Version"]
    return {
        "at": clock.now().isoformat(timespec="seconds"),
        "host": figures.host(),
        "engine": engine,
        "commit": commit.stdout.strip() or "unknown",
    }
