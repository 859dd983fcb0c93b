"""Spreading out after a worker joined: ours, and `docker service update --force`.

A fifth worker joins four under load; each way then has to give it its share. The ways take turns on
the same swarm. Run it as root from the repository: `make bench-spread`.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import stage
from bench.stage import Stage
from lab.commands.sight import Look, Node
from lab.host import LabError
from lab.load.fates import Report
from lab.load.web_service import WebService
from runtime import clock

_RATE: Final = 10.0
_BEFORE: Final = 3.0
_AFTER: Final = 3.0
_WITHIN: Final = 240.0
_WIDTH: Final = 100
_BASELINE: Final = "force"
SERVICES: Final = tuple(
    WebService(name, replicas, start_seconds=start, health_interval_seconds=2)
    for name, replicas, start in (
        ("lone", 1, 3),
        ("pair", 2, 3),
        ("four", 4, 3),
        ("six-quick", 6, 0),
        ("six-start", 6, 3),
    )
)


@dataclass(frozen=True, slots=True)
class Way:
    """How services are spread, and whether the one who does it still has to say that it is done."""

    name: str
    what: str
    begin: Callable[[Stage, Look], object]
    is_over: Callable[[Stage], bool]


def _rebalance(at: Stage, _look: Look) -> object:
    return at.sight.leader("/rebalance", {"services": []})


def _is_even(at: Stage) -> bool:
    told = at.sight.leader("/rebalance", {"services": [], "dry_run": True})
    return told is not None and not any(
        plan["stage"] in {"asked", "moving"} for plan in told["plans"]
    )


def _force(at: Stage, look: Look) -> None:
    """`docker service update --force --detach` of every service with more than one task."""
    for one in look.services.values():
        if one.replicas > 1:
            told = at.sight.engine(f"/services/{one.id}")
            template = told["Spec"]["TaskTemplate"]
            forced = template | {"ForceUpdate": template.get("ForceUpdate", 0) + 1}
            path = f"/services/{one.id}/update?version={told['Version']['Index']}"
            at.sight.engine(path, "POST", told["Spec"] | {"TaskTemplate": forced})


_WAYS: Final = (
    Way("ours", "spotswarm rebalance", _rebalance, _is_even),
    Way(_BASELINE, "service update --force", _force, lambda _: True),
)


def main() -> None:
    """Measure, print, and leave nothing behind."""
    parser = argparse.ArgumentParser(prog="python -m bench.spread", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each way")
    parser.add_argument("--rate", type=float, default=_RATE, help="requests/s for each service")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    turns = [way for number in range(asked.rounds) for way in _WAYS[:: 1 - 2 * (number % 2)]]
    found: list[dict[str, Any]] = []
    try:
        with (
            stage.progress(len(turns)) as (report, advance),
            stage.prepared(SERVICES, workers=4, report=report) as at,
        ):
            about = {"rate": asked.rate, **stage.about(at.sight)}
            for number, way in enumerate(turns, 1):
                report(f"{number}: {way.what}")
                found.append(measure(at, way, asked.rate))
                advance()
    except LabError as exc:
        stage.fail(exc)
    _show(found, about)


def measure(at: Stage, way: Way, rate: float) -> dict[str, Any]:
    """A worker joins, the services are spread, the worker leaves in order.

    Raises:
        LabError: the cluster did not come to rest before or after.
    """
    at.wait_settled()
    node = at.add_worker()
    before = at.wait_settled(workers=at.workers + 1)
    flowing = at.load(rate)
    try:
        time.sleep(_BEFORE)
        began = clock.monotonic()
        way.begin(at, before)
        after = at.wait_settled(
            workers=at.workers + 1, within=_WITHIN, and_is=lambda: way.is_over(at)
        )
        seconds = after.at - began - stage.STEADY_SECONDS
        time.sleep(_AFTER)
    finally:
        report = flowing.stop()
    found = _figures(way.name, before, after, report.between(began, report.ended + 1))
    _leave(at, node)
    return {**found, "seconds": round(seconds, 1)}


def _figures(way: str, before: Look, after: Look, report: Report) -> dict[str, Any]:
    old = {task.id for task in before.tasks}
    new = {task.id for task in after.tasks}
    return {
        "way": way,
        "needed": sum(needed(counts) for counts in _placed(before).values()),
        "restarted": len(old - new),
        "tasks": len(old),
        "before": _evenness(before),
        "after": _evenness(after),
        "sent": report.sent,
        "lost": report.lost,
        "kinds": {kind: loss.count for kind, loss in report.losses.items()},
        "lost_of": {host.partition(".")[0]: report.of(host).lost for host in report.hosts},
        "p99_ms": round(1000 * report.latency(0.99), 1),
        "lag_p99_ms": round(1000 * report.lag(0.99), 1),
        "lag_most_ms": round(1000 * report.lag(), 1),
    }


def _placed(look: Look) -> dict[str, list[int]]:
    """Service → how many of its tasks each worker has."""
    nodes = stage.workers_of(look)
    return {
        one.name: [sum(task.node == node.id for task in look.of(one.id)) for node in nodes]
        for one in look.services.values()
    }


def needed(counts: Sequence[int]) -> int:
    """The least number of tasks that must move for no worker to have two more than another."""
    low, over = divmod(sum(counts), len(counts))
    goal = sorted([low + 1] * over + [low] * (len(counts) - over), reverse=True)
    have = sorted(counts, reverse=True)
    return sum(max(0, held - wanted) for held, wanted in zip(have, goal, strict=True))


def _evenness(look: Look) -> dict[str, int]:
    """Service → the fullest worker's tasks less the emptiest's."""
    return {name: max(counts) - min(counts) for name, counts in _placed(look).items()}


def _leave(at: Stage, node: Node) -> None:
    """Empty a worker by our own drain, so that the next round begins like this one."""
    at.sight.leader(f"/drain/{node.id}", {"within": 120})
    deadline = clock.monotonic() + 120
    while at.sight.look(leaving=node.id).on(node.id):
        if clock.monotonic() > deadline:
            raise LabError(f"{node.hostname} is not empty after 120 s")
        time.sleep(stage.LOOK_SECONDS)
    at.remove_worker(node)


def summary(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a way, with ratios to the baseline."""
    entries = []
    for way in _WAYS:
        own = [one for one in found if one["way"] == way.name]
        entry = {
            name: median(one[name] for one in own)
            for name in ("needed", "restarted", "seconds", "p99_ms")
        }
        entry |= {
            "rounds": len(own),
            "restarted_all": sum(one["restarted"] for one in own),
            "needed_all": sum(one["needed"] for one in own),
            "lost": sum(one["lost"] for one in own),
            "sent": sum(one["sent"] for one in own),
            "uneven_after": max(max(one["after"].values()) for one in own),
            "lag_p99_ms": max(one["lag_p99_ms"] for one in own),
            "lag_most_ms": max(one["lag_most_ms"] for one in own),
        }
        entries.append({"way": way.name, **entry})
    base = next(one for one in entries if one["way"] == _BASELINE)
    for one in entries:
        for name in ("restarted_all", "lost", "seconds"):
            if base[name]:
                one[f"{name}_to_{_BASELINE}"] = round(one[name] / base[name], 2)
    return entries


def _show(found: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    made = Table(title="A fifth worker joins: spreading out", box=None, title_style="bold")
    made.add_column("way", no_wrap=True)
    for head in (
        "rounds", "moves needed", "restarted", "lost", "seconds", "max-min after", "p99 ms",
        "restarted / force", "seconds / force",
    ):  # fmt: skip
        made.add_column(head, justify="right")
    entries = summary(found)
    for one, way in zip(entries, _WAYS, strict=True):
        made.add_row(
            way.what,
            *(str(one[name]) for name in ("rounds", "needed_all", "restarted_all", "lost")),
            f"{one['seconds']:.1f}",
            str(one["uneven_after"]),
            f"{one['p99_ms']:.0f}",
            *(str(one.get(f"{name}_to_{_BASELINE}", "-")) for name in ("restarted_all", "seconds")),
        )
    out = Console(width=_WIDTH)
    out.print(made)
    late = max(one["lag_p99_ms"] for one in entries), max(one["lag_most_ms"] for one in entries)
    out.print(f"the load was late itself by {late[0]:.0f} ms (p99), {late[1]:.0f} ms at most")
    print(json.dumps({"bench": "spread", **about, "medians": entries, "rounds": list(found)}))


if __name__ == "__main__":
    main()
