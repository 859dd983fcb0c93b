"""Compare our rebalancing with `docker service update --force` after a worker has joined.

In each round, a fifth worker joins a cluster of four workers under load, and one of the two methods
moves tasks to the new worker. The methods alternate on the same swarm. Run `make bench-rebalance`
as root from the repository.
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

from bench import cluster, terminal
from bench.cluster import LoadedCluster
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
    """How to rebalance services, and how to tell when rebalancing is complete."""

    name: str
    what: str
    begin: Callable[[LoadedCluster, Look], object]
    is_over: Callable[[LoadedCluster], bool]


def _rebalance(loaded: LoadedCluster, _look: Look) -> object:
    return loaded.sight.leader("/rebalance", {"services": []})


def _is_even(loaded: LoadedCluster) -> bool:
    answer = loaded.sight.leader("/rebalance", {"services": [], "dry_run": True})
    return answer is not None and not any(
        plan["stage"] in {"asked", "moving"} for plan in answer["plans"]
    )


def _force(loaded: LoadedCluster, look: Look) -> None:
    """Force an update of every service that has more than one replica.

    This is equivalent to `docker service update --force --detach`.
    """
    for service in look.services.values():
        if service.replicas > 1:
            row = loaded.sight.engine(f"/services/{service.id}")
            template = row["Spec"]["TaskTemplate"]
            forced = template | {"ForceUpdate": template.get("ForceUpdate", 0) + 1}
            path = f"/services/{service.id}/update?version={row['Version']['Index']}"
            loaded.sight.engine(path, "POST", row["Spec"] | {"TaskTemplate": forced})


_WAYS: Final = (
    Way("ours", "spotswarm rebalance", _rebalance, _is_even),
    Way(_BASELINE, "service update --force", _force, lambda _: True),
)


def main() -> None:
    """Run the benchmark, print the figures, and take the lab down even after an error."""
    parser = argparse.ArgumentParser(prog="python -m bench.rebalance", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each way; default 3")
    parser.add_argument(
        "--rate", type=float, default=_RATE, help="requests per second to each service; default 10"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    turns = [way for number in range(options.rounds) for way in _WAYS[:: 1 - 2 * (number % 2)]]
    samples: list[dict[str, Any]] = []
    try:
        with (
            terminal.progress(len(turns)) as (report, advance),
            cluster.prepared(SERVICES, workers=4, report=report) as loaded,
        ):
            about = {"rate": options.rate, **cluster.versions(loaded.sight)}
            for number, way in enumerate(turns, 1):
                report(f"{number}: {way.what}")
                samples.append(measure(loaded, way, options.rate))
                advance()
    except LabError as exc:
        terminal.fail(exc)
    _show(samples, about)


def measure(loaded: LoadedCluster, way: Way, rate: float) -> dict[str, Any]:
    """Add a worker, rebalance the services, remove the worker, and return the figures.

    Raises:
        LabError: if the cluster does not settle before or after rebalancing.
    """
    loaded.wait_settled()
    node = loaded.add_worker()
    before = loaded.wait_settled(workers=loaded.workers + 1)
    flowing = loaded.load(rate)
    try:
        time.sleep(_BEFORE)
        began = clock.monotonic()
        way.begin(loaded, before)
        after = loaded.wait_settled(
            workers=loaded.workers + 1, within=_WITHIN, and_is=lambda: way.is_over(loaded)
        )
        seconds = after.at - began - cluster.STEADY_SECONDS
        time.sleep(_AFTER)
    finally:
        report = flowing.stop()
    figures = _figures(way.name, before, after, report.between(began, report.ended + 1))
    _leave(loaded, node)
    return {**figures, "seconds": round(seconds, 1)}


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
    """Return how many tasks of each service are on each worker."""
    nodes = cluster.workers_of(look)
    return {
        service.name: [sum(task.node == node.id for task in look.of(service.id)) for node in nodes]
        for service in look.services.values()
    }


def needed(counts: Sequence[int]) -> int:
    """Return the minimum number of moves needed to spread a service's tasks evenly.

    Tasks are spread evenly if the workers' task counts differ by at most one.
    """
    low, over = divmod(sum(counts), len(counts))
    goal = sorted([low + 1] * over + [low] * (len(counts) - over), reverse=True)
    have = sorted(counts, reverse=True)
    return sum(max(0, count - wanted) for count, wanted in zip(have, goal, strict=True))


def _evenness(look: Look) -> dict[str, int]:
    """Return how unevenly each service's tasks are spread.

    The value is the difference between the largest and smallest number of tasks on a worker.
    """
    return {name: max(counts) - min(counts) for name, counts in _placed(look).items()}


def _leave(loaded: LoadedCluster, node: Node) -> None:
    """Drain and remove a worker, so that the next round starts from the same state."""
    loaded.sight.leader(f"/drain/{node.id}", {"within": 120})
    deadline = clock.monotonic() + 120
    while loaded.sight.look(leaving=node.id).on(node.id):
        if clock.monotonic() > deadline:
            raise LabError(f"{node.hostname} is still not empty after 120 s")
        time.sleep(cluster.POLL_SECONDS)
    loaded.remove_worker(node)


def summary(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the summarized figures for each method of rebalancing.

    Include the ratios of the main figures to the baseline.
    """
    entries = []
    for way in _WAYS:
        own = [sample for sample in samples if sample["way"] == way.name]
        entry = {
            name: median(sample[name] for sample in own)
            for name in ("needed", "restarted", "seconds", "p99_ms")
        }
        entry |= {
            "rounds": len(own),
            "restarted_all": sum(sample["restarted"] for sample in own),
            "needed_all": sum(sample["needed"] for sample in own),
            "lost": sum(sample["lost"] for sample in own),
            "sent": sum(sample["sent"] for sample in own),
            "uneven_after": max(max(sample["after"].values()) for sample in own),
            "lag_p99_ms": max(sample["lag_p99_ms"] for sample in own),
            "lag_most_ms": max(sample["lag_most_ms"] for sample in own),
        }
        entries.append({"way": way.name, **entry})
    base = next(entry for entry in entries if entry["way"] == _BASELINE)
    for entry in entries:
        for name in ("restarted_all", "lost", "seconds"):
            if base[name]:
                entry[f"{name}_to_{_BASELINE}"] = round(entry[name] / base[name], 2)
    return entries


def _show(samples: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    table = Table(title="Rebalancing after a fifth worker joins", box=None, title_style="bold")
    table.add_column("way", no_wrap=True)
    for head in (
        "rounds", "moves needed", "restarted", "lost", "seconds", "max-min after", "p99 ms",
        "restarted / force", "seconds / force",
    ):  # fmt: skip
        table.add_column(head, justify="right")
    entries = summary(samples)
    for entry, way in zip(entries, _WAYS, strict=True):
        table.add_row(
            way.what,
            *(str(entry[name]) for name in ("rounds", "needed_all", "restarted_all", "lost")),
            f"{entry['seconds']:.1f}",
            str(entry["uneven_after"]),
            f"{entry['p99_ms']:.0f}",
            *(
                str(entry.get(f"{name}_to_{_BASELINE}", "-"))
                for name in ("restarted_all", "seconds")
            ),
        )
    out = Console(width=_WIDTH)
    out.print(table)
    late = (
        max(entry["lag_p99_ms"] for entry in entries),
        max(entry["lag_most_ms"] for entry in entries),
    )
    out.print(f"requests were sent up to {late[0]:.0f} ms late (p99), at most {late[1]:.0f} ms")
    print(json.dumps({"bench": "rebalance", **about, "medians": entries, "rounds": list(samples)}))


if __name__ == "__main__":
    main()
