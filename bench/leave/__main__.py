"""Compare how users are affected when we evacuate a worker, Swarm drains it, or it loses power.

Twenty tasks run on four spot workers under steady load through Traefik. The three ways of removing
a worker alternate on the same swarm. Run `make bench-leave` as root from the repository. For
options, run `python -m bench.leave --help`.
"""

import argparse
import json
import math
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from bench import cluster, terminal
from bench.cluster import LoadedCluster
from bench.leave import figures
from bench.leave.figures import Departure
from lab.commands.sight import Look, Node
from lab.host import LabError
from lab.load.web_service import WebService
from lab.machines.record import RUNNING, read
from runtime import clock

_RATE: Final = 10.0
"""Requests per second for each service."""
_BEFORE: Final = 5.0
"""Seconds of load before the worker starts to leave, for comparison."""
_AFTER: Final = 3.0
"""Seconds of load afterwards, because an ingress may lose requests until its routes are updated."""
_WITHIN: Final = 110.0
_WIDTH: Final = 100
SERVICES: Final = tuple(
    # A health check starts a process in the task. Twenty tasks with a check every second would use
    # a complete core.
    WebService(name, replicas, start_seconds=start, stop_seconds=stop, health_interval_seconds=2)
    for name, replicas, start, stop in (
        ("lone-quick", 1, 0, 0),
        ("lone-start", 1, 3, 0),
        ("lone-stop", 1, 0, 6),
        ("lone-both", 1, 3, 6),
        ("pair-start", 2, 3, 0),
        ("pair-stop", 2, 0, 6),
        ("six-quick", 6, 0, 0),
        ("six-both", 6, 3, 6),
    )
)
_LONE: Final = {service.name for service in SERVICES if service.replicas == 1}


@dataclass(frozen=True, slots=True)
class Way:
    """How to make a worker leave, and how to tell when its departure is complete."""

    name: str
    what: str
    begin: Callable[[LoadedCluster, Node], object]
    is_over: Callable[[Departure], bool]


def _interrupt(loaded: LoadedCluster, node: Node) -> object:
    return loaded.lab.market.interrupt(node.instance, notice=120, by="both")


def _drain(loaded: LoadedCluster, node: Node) -> object:
    row = loaded.sight.engine(f"/nodes/{node.id}")
    spec = row["Spec"] | {"Availability": "drain"}
    version = row["Version"]["Index"]
    return loaded.sight.engine(f"/nodes/{node.id}/update?version={version}", "POST", spec)


def _kill(loaded: LoadedCluster, node: Node) -> None:
    loaded.lab.kill(node.instance)


OURS: Final = Way(
    "ours", "spotswarm", _interrupt, lambda left: _is_known(left.gone) and _is_known(left.replaced)
)
DRAIN: Final = Way(
    "drain",
    "Swarm's drain",
    _drain,
    lambda left: _is_known(left.empty) and _is_known(left.replaced),
)
KILL: Final = Way(
    "kill", "power cut", _kill, lambda left: _is_known(left.down) and _is_known(left.replaced)
)
_TURN: Final = (OURS, DRAIN, OURS, KILL)


def _is_known(seconds: float) -> bool:
    return not math.isnan(seconds)


def main() -> None:
    """Run the benchmark, print the figures, and take the lab down even after an error."""
    parser = argparse.ArgumentParser(prog="python -m bench.leave", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds of ours, drain, ours, power cut; default 5"
    )
    parser.add_argument(
        "--rate", type=float, default=_RATE, help="requests per second to each service; default 10"
    )
    options = parser.parse_args()
    # Take the lab down on SIGTERM, as on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ways = _TURN * options.rounds
    departures: list[Departure] = []
    try:
        with (
            terminal.progress(len(ways)) as (report, advance),
            cluster.prepared(SERVICES, workers=4, report=report) as loaded,
        ):
            about = {"rate": options.rate, **cluster.versions(loaded.sight)}
            for number, way in enumerate(ways, 1):
                report(f"{number}: {way.what}")
                departures.append(measure(loaded, way, number, options.rate))
                advance()
    except LabError as exc:
        terminal.fail(exc)
    _show(departures, about)


def measure(loaded: LoadedCluster, way: Way, number: int, rate: float) -> Departure:
    """Make one worker leave under load, replace it, and return the figures for its departure.

    Raises:
        LabError: if the cluster does not settle beforehand, or if the new worker does not accept
            tasks.
    """
    look = loaded.wait_settled()
    node = _chosen(look)
    names = {service.id: service.name for service in look.services.values()}
    services = sorted(names[task.service] for task in look.on(node.id))
    departure = Departure(way.name, number, services, [name for name in services if name in _LONE])
    flowing = loaded.load(rate)
    try:
        time.sleep(_BEFORE)
        began = clock.monotonic()
        way.begin(loaded, node)
        _follow(loaded, node, departure, began=began, until=way.is_over)
        time.sleep(_AFTER)
    finally:
        report = flowing.stop()
    departure.count(report, began, rate)
    loaded.add_worker()
    if way is not OURS:
        loaded.remove_worker(node)
    return departure


def _chosen(look: Look) -> Node:
    """Return the worker whose number of single-replica services is closest to one.

    Workers without such a service come last. Ties go to the worker whose number of tasks
    is closest to five.
    """
    lone = {service.id for service in look.services.values() if service.replicas == 1}

    def distance(node: Node) -> tuple[int, int, str]:
        services = [task.service for task in look.on(node.id)]
        alone = sum(service in lone for service in services)
        return (abs(alone - 1) if alone else 99, abs(len(services) - 5), node.hostname)

    return min(cluster.workers_of(look), key=distance)


def _follow(
    loaded: LoadedCluster,
    node: Node,
    departure: Departure,
    *,
    began: float,
    until: Callable[[Departure], bool],
) -> None:
    """Poll the swarm, and record in `departure` when each state is first seen."""
    deadline = began + _WITHIN
    left = len(departure.tasks)
    while not until(departure):
        record = read(loaded.lab.places.machines, node.instance)
        is_on = record is not None and record.stage in RUNNING
        look = loaded.sight.look(leaving=node.id)
        since = look.at - began
        entry = look.nodes.get(node.id)
        if not _is_known(departure.replaced) and look.is_up_without(node.id):
            departure.replaced = since
        if is_on and entry is not None:
            left = len(look.on(node.id))
            if not left and not _is_known(departure.empty):
                departure.empty = since
        elif not is_on:
            departure.cut_off = left
        if not _is_known(departure.down) and entry is not None and entry.status == "down":
            departure.down = since
        if not _is_known(departure.gone) and entry is None and not is_on:
            departure.gone = since
        if look.at > deadline:
            return
        time.sleep(cluster.POLL_SECONDS)


def _show(departures: list[Departure], about: dict[str, object]) -> None:
    out = Console(width=_WIDTH)
    entries = figures.summary(departures)
    out.print(figures.table(entries, {way.name: way.what for way in (OURS, DRAIN, KILL)}))
    late = (
        max(entry["lag_p99_ms"] for entry in entries),
        max(entry["lag_most_ms"] for entry in entries),
    )
    out.print(f"requests were sent up to {late[0]:.0f} ms late (p99), at most {late[1]:.0f} ms")
    samples = [departure.json() for departure in departures]
    print(json.dumps({"bench": "leave", **about, "medians": entries, "departures": samples}))


if __name__ == "__main__":
    main()
