"""What users notice when workers leave: ours, Swarm's own drain, and no warning at all.

Twenty tasks on four spot workers, steady load by way of Traefik; the ways take turns on the same
swarm. Run it as root from the repository: `make bench-leave`, or `python -m bench.leave --help`.
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

from bench import departures, stage
from bench.departures import Departure
from bench.stage import Stage
from lab.commands.sight import Look, Node
from lab.host import LabError
from lab.load.web_service import WebService
from lab.machines.record import RUNNING, read
from runtime import clock

_RATE: Final = 10.0
"""Requests a second for each service."""
_BEFORE: Final = 5.0
"""Seconds of load before a leaving begins: what it is compared with."""
_AFTER: Final = 3.0
"""Seconds of load when it is over: what an ingress learns late is lost late."""
_WITHIN: Final = 110.0
_WIDTH: Final = 100
SERVICES: Final = tuple(
    # A look at a task's health starts a process in it: every second for twenty tasks is a core.
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
_LONE: Final = {one.name for one in SERVICES if one.replicas == 1}


@dataclass(frozen=True, slots=True)
class Way:
    """How a worker leaves, and when that is over."""

    name: str
    what: str
    begin: Callable[[Stage, Node], object]
    is_over: Callable[[Departure], bool]


def _interrupt(at: Stage, node: Node) -> object:
    return at.lab.market.interrupt(node.instance, notice=120, by="both")


def _drain(at: Stage, node: Node) -> object:
    told = at.sight.engine(f"/nodes/{node.id}")
    spec = told["Spec"] | {"Availability": "drain"}
    version = told["Version"]["Index"]
    return at.sight.engine(f"/nodes/{node.id}/update?version={version}", "POST", spec)


def _kill(at: Stage, node: Node) -> None:
    at.lab.kill(node.instance)


OURS: Final = Way(
    "ours", "spotswarm", _interrupt, lambda one: _is_known(one.gone) and _is_known(one.replaced)
)
DRAIN: Final = Way(
    "drain", "Swarm's drain", _drain, lambda one: _is_known(one.empty) and _is_known(one.replaced)
)
KILL: Final = Way(
    "kill", "power cut", _kill, lambda one: _is_known(one.down) and _is_known(one.replaced)
)
_TURN: Final = (OURS, DRAIN, OURS, KILL)


def _is_known(seconds: float) -> bool:
    return not math.isnan(seconds)


def main() -> None:
    """Measure, print, and leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.leave", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of ours, drain, ours, power cut")
    parser.add_argument("--rate", type=float, default=_RATE, help="requests/s for each service")
    asked = parser.parse_args()
    # As Ctrl-C: the lab is taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ways = _TURN * asked.rounds
    found: list[Departure] = []
    try:
        with (
            stage.progress(len(ways)) as (report, advance),
            stage.prepared(SERVICES, workers=4, report=report) as at,
        ):
            about = {"rate": asked.rate, **stage.about(at.sight)}
            for number, way in enumerate(ways, 1):
                report(f"{number}: {way.what}")
                found.append(measure(at, way, number, asked.rate))
                advance()
    except LabError as exc:
        stage.fail(exc)
    _show(found, about)


def measure(at: Stage, way: Way, number: int, rate: float) -> Departure:
    """One worker leaves under load, and another takes its place.

    Raises:
        LabError: the cluster did not come to rest before or after.
    """
    look = at.wait_settled()
    node = _chosen(look)
    names = {one.id: one.name for one in look.services.values()}
    held = sorted(names[task.service] for task in look.on(node.id))
    one = Departure(way.name, number, held, [name for name in held if name in _LONE])
    flowing = at.load(rate)
    try:
        time.sleep(_BEFORE)
        began = clock.monotonic()
        way.begin(at, node)
        _follow(at, node, one, began=began, until=way.is_over)
        time.sleep(_AFTER)
    finally:
        report = flowing.stop()
    one.count(report, began, rate)
    at.add_worker()
    if way is not OURS:
        at.remove_worker(node)
    return one


def _chosen(look: Look) -> Node:
    """A worker with one-replica services, as near to one of them and to five tasks as there is."""
    lone = {one.id for one in look.services.values() if one.replicas == 1}

    def distance(node: Node) -> tuple[int, int, str]:
        held = [task.service for task in look.on(node.id)]
        alone = sum(service in lone for service in held)
        return (abs(alone - 1) if alone else 99, abs(len(held) - 5), node.hostname)

    return min(stage.workers_of(look), key=distance)


def _follow(
    at: Stage, node: Node, one: Departure, *, began: float, until: Callable[[Departure], bool]
) -> None:
    """Look again and again, and note when each thing was first so."""
    deadline = began + _WITHIN
    left = len(one.tasks)
    while not until(one):
        record = read(at.lab.places.machines, node.instance)
        is_on = record is not None and record.stage in RUNNING
        look = at.sight.look(leaving=node.id)
        since = look.at - began
        entry = look.nodes.get(node.id)
        if not _is_known(one.replaced) and look.is_up_without(node.id):
            one.replaced = since
        if is_on and entry is not None:
            left = len(look.on(node.id))
            if not left and not _is_known(one.empty):
                one.empty = since
        elif not is_on:
            one.cut_off = left
        if not _is_known(one.down) and entry is not None and entry.status == "down":
            one.down = since
        if not _is_known(one.gone) and entry is None and not is_on:
            one.gone = since
        if look.at > deadline:
            return
        time.sleep(stage.LOOK_SECONDS)


def _show(found: list[Departure], about: dict[str, object]) -> None:
    out = Console(width=_WIDTH)
    entries = departures.summary(found)
    out.print(departures.table(entries, {way.name: way.what for way in (OURS, DRAIN, KILL)}))
    late = max(one["lag_p99_ms"] for one in entries), max(one["lag_most_ms"] for one in entries)
    out.print(f"the load was late itself by {late[0]:.0f} ms (p99), {late[1]:.0f} ms at most")
    every = [one.json() for one in found]
    print(json.dumps({"bench": "leave", **about, "medians": entries, "departures": every}))


if __name__ == "__main__":
    main()
