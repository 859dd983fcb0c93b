"""Measure the load that heartbeats put on managers, and how quickly a lost worker is marked Down.

The cluster has three managers and idle workers. For each heartbeat period, the benchmark measures
the managers' engines for a while and then cuts the power to some workers. After the first
measurement, our leader daemons are stopped, because their requests add to the load. Run
`make bench-heartbeat` as root from the repository.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import correlation, linear_regression, median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench import cluster, terminal
from bench.host import host
from lab.client import Lab
from lab.commands.sight import Sight
from lab.host import LabError
from lab.load.ingress import managers
from lab.machines import cgroups, net
from lab.machines.machine import Machine
from lab.places import Places
from runtime import clock

_DEFAULT: Final = 5
"""Swarm's default period in seconds. The ratios are relative to this period."""
_MANAGERS: Final = 3
_SETTLE_SECONDS: Final = 7.0
"""An engine learns a new period with its next heartbeat, up to one old period plus 0.5 s later."""
_CUT: Final = 2
"""Number of workers that lose power at the same time; each worker gives one sample."""
_POLL_SECONDS: Final = 0.05
_WIDTH: Final = 100
_SIZES: Final = ((100, 2), (400, 3), (1000, 5), (5000, 5))
"""Nodes and periods for the extrapolated figures, from the steps in `leader.upkeep.heartbeat`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Total resources used by one manager up to time `at`."""

    at: float
    cpu: float
    """CPU seconds used by the manager's engine."""
    wire: int
    """Bytes over the manager's network link, in both directions."""


def main() -> None:
    """Run the benchmark, print the figures, and take the lab down even after an error."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    turns = [
        period
        for number in range(options.rounds)
        for period in options.periods[:: _direction(number)]
    ]
    windows: list[dict[str, Any]] = []
    try:
        with (
            terminal.progress(len(turns) + 1) as (report, advance),
            cluster.booted(
                workers=options.workers, report=report, leader={"heartbeat": "keep"}
            ) as lab,
        ):
            sight = Sight(lab)
            about = {
                **cluster.versions(sight),
                "workers": options.workers,
                "seconds": options.seconds,
            }
            report(f"with our leaders running and a heartbeat every {_DEFAULT} s")
            _set(sight, _DEFAULT)
            windows.append(
                {"leader": True, "period": _DEFAULT, **_costs(lab, sight, options.seconds)}
            )
            _stop_leaders(lab)
            advance()
            for number, period in enumerate(turns, 1):
                report(f"{number}: a heartbeat every {period} s")
                _set(sight, period)
                costs = _costs(lab, sight, options.seconds)
                down = _cut(lab, sight, number)
                windows.append({"leader": False, "period": period, **costs, "down": down})
                advance()
    except LabError as exc:
        terminal.fail(exc)
    _show(windows, {**about, "host_after": host()})


def _direction(number: int) -> int:
    """Return -1 for even rounds and 1 for odd rounds.

    The sign determines the order of the periods. The order alternates, so that drift over time
    affects all periods equally.
    """
    return -1 if number % 2 == 0 else 1


def _set(sight: Sight, period: int) -> None:
    """Set the heartbeat period as the leader does, and give every engine time to adopt it."""
    swarm = sight.engine("/swarm")
    spec = swarm["Spec"] | {"Dispatcher": {"HeartbeatPeriod": period * 1_000_000_000}}
    sight.engine(f"/swarm/update?version={swarm['Version']['Index']}", "POST", spec)
    time.sleep(_SETTLE_SECONDS)


def _stop_leaders(lab: Lab) -> None:
    for machine in managers(lab):
        # The path unit would start the service again.
        machine.run("systemctl", "stop", "spotswarm-leader.path", "spotswarm-leader.service")


def _costs(lab: Lab, sight: Sight, seconds: float) -> dict[str, Any]:
    """Measure the managers' CPU time per minute, and their network traffic per node per minute."""
    nodes = sight.engine("/nodes")
    leads = next(
        node["Description"]["Hostname"]
        for node in nodes
        if (node.get("ManagerStatus") or {}).get("Leader")
    )
    engines = {machine: _engine(machine) for machine in managers(lab)}
    before = {machine: _read(machine, engine) for machine, engine in engines.items()}
    time.sleep(seconds)
    after = {machine: _read(machine, engine) for machine, engine in engines.items()}
    cpu = {
        machine: 60 * (after[machine].cpu - was.cpu) / (after[machine].at - was.at)
        for machine, was in before.items()
    }
    wire = sum(
        60 * (after[machine].wire - was.wire) / (after[machine].at - was.at)
        for machine, was in before.items()
    )
    lead = [figure for machine, figure in cpu.items() if machine.hostname == leads]
    others = [figure for machine, figure in cpu.items() if machine.hostname != leads]
    if len(lead) != 1:
        raise LabError(f"the Raft leader {leads} is not a machine in the lab")
    return {
        "lead_cpu": round(lead[0], 3),
        "other_cpu": round(sum(others) / len(others), 3),
        "wire_kib_per_node": round(wire / 1024 / len(nodes), 1),
    }


def _engine(machine: Machine) -> int:
    """Return the process id of a machine's dockerd."""
    for pid in cgroups.processes([Path(group) for group in machine.record.cgroups]):
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "dockerd":
            return pid
    raise LabError(f"no engine is running on {machine.hostname}")


def _read(machine: Machine, engine: int) -> Reading:
    # A program's name may contain spaces, so count fields from the end of the name:
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    fields = Path(f"/proc/{engine}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    link = net.names(Places.here(), machine.instance, machine.address)[1]
    counters = Path("/sys/class/net", link, "statistics")
    wire = sum(int((counters / name).read_text()) for name in ("rx_bytes", "tx_bytes"))
    return Reading(clock.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), wire)


def _cut(lab: Lab, sight: Sight, number: int) -> list[float]:
    """Cut the power to some workers, and return how long it took to mark each one Down.

    Times are in seconds. The workers are rebooted afterwards.

    Raises:
        LabError: if a worker is not marked Down in time, or if it does not become Ready again.
    """
    workers = sorted(
        (machine for machine in lab.machines() if machine.record.role == "worker"),
        key=lambda machine: machine.instance,
    )
    chosen = [workers[(number * _CUT + offset) % len(workers)] for offset in range(_CUT)]
    began = {}
    for machine in chosen:
        began[machine.hostname] = clock.monotonic()
        lab.kill(machine.instance)
    down: dict[str, float] = {}
    while len(down) < len(chosen):
        states = _states(sight)
        at = clock.monotonic()
        for name, since in began.items():
            if states.get(name) == "down":
                down.setdefault(name, at - since)
            elif at - since > 60:
                raise LabError(f"{name} is not Down 60 s after its power was cut")
        time.sleep(_POLL_SECONDS)
    for machine in chosen:
        lab.reboot(machine.instance)
    _wait_ready(sight, began)
    return [round(seconds, 2) for seconds in down.values()]


def _states(sight: Sight) -> dict[str, str]:
    return {
        node["Description"]["Hostname"]: node["Status"]["State"] for node in sight.engine("/nodes")
    }


def _wait_ready(sight: Sight, hosts: Collection[str]) -> None:
    deadline = clock.monotonic() + 90
    while any(_states(sight)[host] != "ready" for host in hosts):
        if clock.monotonic() > deadline:
            raise LabError(f"not all of these nodes are Ready after 90 s: {', '.join(hosts)}")
        time.sleep(0.5)


def summary(windows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the medians for each heartbeat period, starting with the longest period.

    Include the ratios of these medians to those for the default period.
    """
    periods = sorted({window["period"] for window in windows if not window["leader"]}, reverse=True)
    entries = []
    for period in periods:
        own = [window for window in windows if window["period"] == period and not window["leader"]]
        down = [seconds for window in own for seconds in window["down"]]
        entry: dict[str, Any] = {"period": period, "windows": len(own), "cuts": len(down)}
        for name in ("lead_cpu", "other_cpu", "wire_kib_per_node"):
            entry[name] = round(median(window[name] for window in own), 3)
        entry |= {"down": round(median(down), 2), "down_least": min(down), "down_most": max(down)}
        entries.append(entry)
    base = next((entry for entry in entries if entry["period"] == _DEFAULT), None)
    if base is not None:
        for entry in entries:
            for name in ("lead_cpu", "other_cpu", "wire_kib_per_node", "down"):
                entry[f"{name}_to_{_DEFAULT}"] = round(entry[name] / base[name], 2)
    return entries


def per_beat(windows: Sequence[Mapping[str, Any]], nodes: int) -> dict[str, float]:
    """Return the CPU time per heartbeat in milliseconds, calculated by linear regression.

    Each `fit` value is the R-squared of a regression. A value near 0 means that the time cannot be
    distinguished from noise.
    """
    own = [window for window in windows if not window["leader"]]
    beats = [60 * nodes / window["period"] for window in own]
    costs_of_beat = {}
    for name in ("lead_cpu", "other_cpu"):
        costs = [window[name] for window in own]
        costs_of_beat[f"{name}_ms"] = round(1000 * linear_regression(beats, costs).slope, 3)
        costs_of_beat[f"{name}_fit"] = round(correlation(beats, costs) ** 2, 2)
    return costs_of_beat


def at_size(cost_ms: float, nodes: int, period: int) -> float:
    """Return the percentage of one CPU core used by heartbeats from `nodes` nodes."""
    return round(100 * nodes / period * cost_ms / 1000, 2)


def _show(windows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    out = Console(width=_WIDTH)
    entries = summary(windows)
    table = Table(title="Heartbeat load on the managers", box=None, title_style="bold")
    for head in (
        "period, s",
        "leading: CPU s/min", f"/ {_DEFAULT} s", "others: CPU s/min", f"/ {_DEFAULT} s",
        "wire: KiB/node/min", f"/ {_DEFAULT} s", "Down after, s (least-most)", f"/ {_DEFAULT} s",
    ):  # fmt: skip
        table.add_column(head, justify="right")
    for entry in entries:
        cells = [str(entry["period"])]
        for name, digits in (("lead_cpu", 2), ("other_cpu", 2), ("wire_kib_per_node", 0)):
            cells += [f"{entry[name]:.{digits}f}", str(entry.get(f"{name}_to_{_DEFAULT}", "-"))]
        cells += [f"{entry['down']:.1f} ({entry['down_least']:.1f}-{entry['down_most']:.1f})"]
        table.add_row(*cells, str(entry.get(f"down_to_{_DEFAULT}", "-")))
    out.print(table)
    with_leader = next(window for window in windows if window["leader"])
    out.print(
        f"with our leaders running and a heartbeat every {_DEFAULT} s:"
        f" {with_leader['lead_cpu']:.2f} CPU s/min for the leading manager,"
        f" {with_leader['other_cpu']:.2f} CPU s/min for the other managers"
    )
    beat = per_beat(windows, about["workers"] + _MANAGERS)
    out.print(
        f"one heartbeat: {beat['lead_cpu_ms']} CPU ms on the leading manager (r2"
        f" {beat['lead_cpu_fit']}), {beat['other_cpu_ms']} CPU ms on each other manager (r2"
        f" {beat['other_cpu_fit']})"
    )
    sizes = [
        {"nodes": nodes, "period": period, "core": at_size(beat["lead_cpu_ms"], nodes, period)}
        for nodes, period in _SIZES
    ]
    out.print(
        "extrapolated load on one core of the leading manager: "
        + ", ".join(
            f"{entry['core']} % for {entry['nodes']} nodes at {entry['period']} s"
            for entry in sizes
        )
    )
    print(
        json.dumps(
            {
                "bench": "heartbeat", **about, "medians": entries, "per_beat": beat,
                "extrapolated": sizes, "windows": list(windows),
            }
        )
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.heartbeat", description=__doc__)
    parser.add_argument(
        "--periods",
        type=_numbers,
        default=[1, 2, 3, 5],
        help="heartbeat periods in seconds; default 1,2,3,5",
    )
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each period; default 2")
    parser.add_argument(
        "--seconds", type=float, default=40.0, help="seconds per measurement; default 40"
    )
    parser.add_argument("--workers", type=int, default=5, help="idle workers; default 5")
    options = parser.parse_args()
    if options.workers < _CUT:
        parser.error(f"--workers must be at least {_CUT}")
    return options


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text}: each number must be 1 or more")
    return numbers


if __name__ == "__main__":
    main()
