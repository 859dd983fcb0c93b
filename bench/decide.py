"""Measure how long the leader takes to make one decision in clusters of up to 5,000 nodes.

The sizes are 100, 1,000 and 5,000 nodes. The baseline is a plain loop over every node and task,
measured in the same run at each size. A decision that considers every node and task cannot be
faster than this loop. Run `make bench-decide`; root access is not required.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.host import host
from leader.decide import decide, first_view
from leader.settings import LeaderTable
from leader.upkeep.reconcile import reconcile
from leader.view.actions import PauseNode
from leader.view.census import Streak
from leader.view.events import (
    Done,
    Event,
    InstancesListed,
    JoinAsked,
    NodesListed,
    Noticed,
    Ticked,
    WorkListed,
)
from leader.view.ids import InstanceId, NodeId, ServiceId, TaskId
from leader.view.model import Ask, Identity, Instance, Node, Tokens, View
from leader.view.moment import Moment
from leader.view.notices import Notice
from leader.view.terms import Leaving, Then
from leader.view.work import Service, Task
from runtime import clock
from wire.labels import LABEL_INSTANCE, LABEL_KEY, LABEL_LIFECYCLE, LABEL_TYPE, LABEL_ZONE
from wire.messages import Availability, Role

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_POLICY: Final = LeaderTable(secrets="file:/example").policy("bench")
_TASKS_PER_NODE: Final = 4
_TASKS_PER_SERVICE: Final = 20
_BASELINE: Final = "walk"
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Cluster:
    """A busy swarm.

    Some services are spread unevenly, and one node in fifty is leaving or lost.
    """

    nodes: tuple[Node, ...]
    instances: tuple[Instance, ...]
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]


def cluster(size: int) -> Cluster:
    """Return a cluster with `size` nodes."""
    nodes = tuple(_node(number) for number in range(size))
    count = size * _TASKS_PER_NODE // _TASKS_PER_SERVICE
    services = tuple(_service(number) for number in range(count))
    tasks = tuple(
        Task(
            id=TaskId(f"t{number}-{slot}"),
            service=services[number].id,
            slot=slot + 1,
            # One service in fifty is uneven: two of its tasks share a node.
            node=nodes[_place(number, slot, size)].id,
            state="running",
            desired="running",
            created=_AT,
        )
        for number in range(count)
        for slot in range(_TASKS_PER_SERVICE)
    )
    return Cluster(nodes, tuple(_instance(number) for number in range(size)), services, tasks)


def _place(service: int, slot: int, size: int) -> int:
    if service % 50 == 0 and slot < 2:
        slot = 0
    return (service * _TASKS_PER_SERVICE + slot * 7) % size


def _node(number: int) -> Node:
    leaving = Leaving("interruption", _AT, _AT + timedelta(minutes=2), Then.TERMINATE)
    is_leaving, is_lost = number % 100 == 50, number % 100 == 51
    labels = {
        LABEL_INSTANCE: f"i-{number}",
        LABEL_LIFECYCLE: "spot",
        LABEL_ZONE: f"eu-central-1{'abc'[number % 3]}",
        LABEL_TYPE: "t3.small",
        LABEL_KEY: "k",
    }
    return Node(
        id=NodeId(f"n{number}"),
        hostname=f"ip-10-{number}",
        role=Role.MANAGER if number < 3 else Role.WORKER,
        status="down" if is_lost else "ready",
        availability=Availability.PAUSE if is_leaving else Availability.ACTIVE,
        address=f"10.0.{number // 250}.{number % 250}",
        created=_AT,
        is_leader=number == 0,
        reachability="reachable" if number < 3 else None,
        labels=labels | (leaving.labels() if is_leaving else {}),
    )


def _instance(number: int) -> Instance:
    return Instance(
        id=InstanceId(f"i-{number}"),
        state="running",
        lifecycle="on-demand" if number < 3 else "spot",
        zone=f"eu-central-1{'abc'[number % 3]}",
        type="t3.small",
        address=f"10.0.{number // 250}.{number % 250}",
        cluster="bench",
        role="manager" if number < 3 else "worker",
        launched=_AT,
    )


def _service(number: int) -> Service:
    constraints = (("node.role==worker",), ("node.labels.spotswarm.lifecycle==spot",), ())
    return Service(
        id=ServiceId(f"s{number}"),
        name=f"service-{number}",
        version=1,
        replicas=_TASKS_PER_SERVICE,
        constraints=constraints[number % 3],
        has_health_check=True,
    )


def events(cluster: Cluster) -> Iterator[tuple[str, Event]]:
    """For each kind of event that a leader often handles, yield its name and an example."""
    at = _AT + timedelta(seconds=5)
    newcomer = replace(_instance(len(cluster.nodes)), id=InstanceId("i-new"))
    identity = Identity("aws", newcomer)
    ask = Ask("a" * 32, "b" * 32, "key", Role.WORKER, 0, identity)
    notice = Notice(InstanceId("i-7"), "interruption", "queue", at, at + timedelta(minutes=2))
    paused = PauseNode(
        node=NodeId("n7"), instance=InstanceId("i-7"), labels={}, reason="", cause=""
    )
    yield "Ticked", Ticked("e", at)
    yield "NodesListed", NodesListed("e", at, cluster.nodes, at)
    yield "InstancesListed", InstancesListed("e", at, cluster.instances)
    yield "WorkListed", WorkListed("e", at, cluster.services, cluster.tasks, at)
    yield "Noticed", Noticed("e", at, notice, receipt="r")
    yield "JoinAsked", JoinAsked("e", at, ask)
    yield "Done", Done("e", at, paused)


def settled(cluster: Cluster) -> View:
    """Return the view of a leader that has been active for some time."""
    view = replace(first_view(), tokens=Tokens(worker_rotated=_AT), heartbeat=timedelta(seconds=2))
    listed: tuple[Event, ...] = (
        NodesListed("e", _AT, cluster.nodes, _AT),
        InstancesListed("e", _AT, cluster.instances),
        WorkListed("e", _AT, cluster.services, cluster.tasks, _AT),
    )
    for event in listed:
        view, _ = decide(view, event, _POLICY)
    return replace(view, in_flight=frozenset())


def _gone(view: View) -> View:
    """Return the view after the instances of all lost nodes have been missing for an hour."""
    streak = Streak(99, _AT - timedelta(hours=1))
    missing = {InstanceId(f"i-{name[1:]}"): streak for name in view.census.down}
    down = dict.fromkeys(view.census.down, streak)
    return replace(view, census=replace(view.census, missing=missing, down=down))


def _walk(view: View) -> int:
    """Look at every node and every task once. This is the baseline."""
    assert view.work is not None
    ready = sum(1 for node in view.nodes.values() if node.is_ready)
    return ready + sum(
        1 for tasks in view.work.by_service.values() for task in tasks if task.is_wanted
    )


def measure(size: int, rounds: int) -> list[dict[str, Any]]:
    """Return median and worst times for each event, for `reconcile` alone and for the baseline."""
    busy = cluster(size)
    view = settled(busy)
    gone = _gone(view)
    calls: dict[str, Callable[[], object]] = {_BASELINE: lambda: _walk(view)}
    for name, event in events(busy):
        calls[name] = partial(decide, view, event, _POLICY)
    calls["reconcile"] = lambda: list(reconcile(Moment(gone, _POLICY, _AT)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    gc.collect()
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            samples[name].append((time.perf_counter() - began) * 1000)
    base = median(samples[_BASELINE])
    return [
        {
            "nodes": size,
            "tasks": len(busy.tasks),
            "event": name,
            "median_ms": round(median(times), 4),
            "worst_ms": round(max(times), 4),
            "to_walk": round(median(times) / base, 2),
            "us_per_node": round(median(times) * 1000 / size, 3),
        }
        for name, times in samples.items()
    ]


def table(entries: Sequence[dict[str, Any]], sizes: Sequence[int]) -> Table:
    """Return a table of the median times for each size and the growth in time per node."""
    figures_table = Table(
        title="Milliseconds of one decision (medians)", box=None, title_style="bold"
    )
    figures_table.add_column("event")
    for size in sizes:
        figures_table.add_column(f"{size:,} nodes", justify="right")
        figures_table.add_column("/ walk", justify="right")
    figures_table.add_column("worst", justify="right")
    figures_table.add_column("growth per node", justify="right")
    for name in dict.fromkeys(entry["event"] for entry in entries):
        own = {entry["nodes"]: entry for entry in entries if entry["event"] == name}
        cells = [
            cell
            for size in sizes
            for cell in (f"{own[size]['median_ms']:.2f}", f"{own[size]['to_walk']:.1f}")
        ]
        growth = own[sizes[-1]]["us_per_node"] / own[sizes[0]]["us_per_node"]
        figures_table.add_row(name, *cells, f"{own[sizes[-1]]['worst_ms']:.1f}", f"{growth:.2f}")
    return figures_table


def main() -> None:
    """Run the benchmark and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000], help="sizes")
    parser.add_argument("--rounds", type=int, default=31, help="calls per event; default 31")
    options = parser.parse_args()
    before = host()
    entries = [entry for size in options.nodes for entry in measure(size, options.rounds)]
    Console(width=_WIDTH).print(table(entries, options.nodes))
    begun = clock.now().isoformat(timespec="seconds")
    print(json.dumps({"bench": "decide", "at": begun, "host": before, "medians": entries}))


if __name__ == "__main__":
    main()
