"""What the swarm's heartbeat costs its managers, and how soon a lost worker is Down.

Three managers and idle workers; each period in turn is set on the swarm, the managers' engines are
metered for a while, then workers' power is cut. Our own leaders are stopped for it: what they ask
of their engines would be metered too. Run it as root from the repository: `make bench-heartbeat`.
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

from bench import figures, stage
from lab.client import Lab
from lab.commands.sight import Sight
from lab.host import LabError
from lab.load.ingress import managers
from lab.machines import cgroups, net
from lab.machines.machine import Machine
from lab.places import Places
from runtime import clock

_DEFAULT: Final = 5
"""Swarm's own period, in seconds: what the ratios are against."""
_MANAGERS: Final = 3
_SETTLE_SECONDS: Final = 7.0
"""An engine learns of a new period with its next beat: up to one old period later, and half a
second of jitter."""
_CUT: Final = 2
"""Workers cut at once: as many samples."""
_LOOK_SECONDS: Final = 0.05
_WIDTH: Final = 100
_SIZES: Final = ((100, 2), (400, 3), (1000, 5), (5000, 5))
"""Nodes and seconds of the extrapolated figures: the steps of `leader.upkeep.heartbeat`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One manager's meters."""

    at: float
    cpu: float
    """Seconds its engine has had of a core."""
    wire: int
    """Bytes that went through its cable, both ways."""


def main() -> None:
    """Measure, print, and leave nothing behind."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    turns = [period for number in range(asked.rounds) for period in asked.periods[:: _way(number)]]
    found: list[dict[str, Any]] = []
    try:
        with (
            stage.progress(len(turns) + 1) as (report, advance),
            stage.booted(workers=asked.workers, report=report, leader={"heartbeat": "keep"}) as lab,
        ):
            sight = Sight(lab)
            about = {**stage.about(sight), "workers": asked.workers, "seconds": asked.seconds}
            report(f"our leaders at work, {_DEFAULT} s")
            _set(sight, _DEFAULT)
            found.append({"leader": True, "period": _DEFAULT, **_costs(lab, sight, asked.seconds)})
            _stop_leaders(lab)
            advance()
            for number, period in enumerate(turns, 1):
                report(f"{number}: a heartbeat every {period} s")
                _set(sight, period)
                costs = _costs(lab, sight, asked.seconds)
                down = _cut(lab, sight, number)
                found.append({"leader": False, "period": period, **costs, "down": down})
                advance()
    except LabError as exc:
        stage.fail(exc)
    _show(found, {**about, "host_after": figures.host()})


def _way(number: int) -> int:
    """Up, then down, so that what drifts with time counts for all alike."""
    return -1 if number % 2 == 0 else 1


def _set(sight: Sight, period: int) -> None:
    """What `leader.edges.docker.swarm` does, and wait until every engine keeps to it."""
    told = sight.engine("/swarm")
    spec = told["Spec"] | {"Dispatcher": {"HeartbeatPeriod": period * 1_000_000_000}}
    sight.engine(f"/swarm/update?version={told['Version']['Index']}", "POST", spec)
    time.sleep(_SETTLE_SECONDS)


def _stop_leaders(lab: Lab) -> None:
    for machine in managers(lab):
        # The path unit would start it again.
        machine.run("systemctl", "stop", "spotswarm-leader.path", "spotswarm-leader.service")


def _costs(lab: Lab, sight: Sight, seconds: float) -> dict[str, Any]:
    """CPU seconds a minute of the leading manager's engine and of the others', and their bytes."""
    nodes = sight.engine("/nodes")
    leads = next(
        one["Description"]["Hostname"]
        for one in nodes
        if (one.get("ManagerStatus") or {}).get("Leader")
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
        raise LabError(f"the leading manager {leads} is none of the lab's")
    return {
        "lead_cpu": round(lead[0], 3),
        "other_cpu": round(sum(others) / len(others), 3),
        "wire_kib_per_node": round(wire / 1024 / len(nodes), 1),
    }


def _engine(machine: Machine) -> int:
    """Process id of a machine's dockerd."""
    for pid in cgroups.processes([Path(group) for group in machine.record.cgroups]):
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == "dockerd":
            return pid
    raise LabError(f"{machine.hostname} has no engine")


def _read(machine: Machine, engine: int) -> Reading:
    # After the name, which may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    fields = Path(f"/proc/{engine}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    link = net.names(Places.here(), machine.instance, machine.address)[1]
    counters = Path("/sys/class/net", link, "statistics")
    wire = sum(int((counters / name).read_text()) for name in ("rx_bytes", "tx_bytes"))
    return Reading(clock.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), wire)


def _cut(lab: Lab, sight: Sight, number: int) -> list[float]:
    """Cut the power of some workers, others each time; seconds until each is Down. All come back.

    Raises:
        LabError: one is not Down in time, or does not come back.
    """
    workers = sorted(
        (one for one in lab.machines() if one.record.role == "worker"), key=lambda one: one.instance
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
        for host, since in began.items():
            if states.get(host) == "down":
                down.setdefault(host, at - since)
            elif at - since > 60:
                raise LabError(f"{host} is not Down 60 s after its power was cut")
        time.sleep(_LOOK_SECONDS)
    for machine in chosen:
        lab.reboot(machine.instance)
    _wait_ready(sight, began)
    return [round(seconds, 2) for seconds in down.values()]


def _states(sight: Sight) -> dict[str, str]:
    return {
        one["Description"]["Hostname"]: one["Status"]["State"] for one in sight.engine("/nodes")
    }


def _wait_ready(sight: Sight, hosts: Collection[str]) -> None:
    deadline = clock.monotonic() + 90
    while any(_states(sight)[host] != "ready" for host in hosts):
        if clock.monotonic() > deadline:
            raise LabError(f"{', '.join(hosts)}: not all are back after 90 s")
        time.sleep(0.5)


def summary(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a period, the default first, with ratios to it."""
    periods = sorted({one["period"] for one in found if not one["leader"]}, reverse=True)
    entries = []
    for period in periods:
        own = [one for one in found if one["period"] == period and not one["leader"]]
        down = [seconds for one in own for seconds in one["down"]]
        entry: dict[str, Any] = {"period": period, "windows": len(own), "cuts": len(down)}
        for name in ("lead_cpu", "other_cpu", "wire_kib_per_node"):
            entry[name] = round(median(one[name] for one in own), 3)
        entry |= {"down": round(median(down), 2), "down_least": min(down), "down_most": max(down)}
        entries.append(entry)
    base = next((one for one in entries if one["period"] == _DEFAULT), None)
    if base is not None:
        for one in entries:
            for name in ("lead_cpu", "other_cpu", "wire_kib_per_node", "down"):
                one[f"{name}_to_{_DEFAULT}"] = round(one[name] / base[name], 2)
    return entries


def per_beat(found: Sequence[Mapping[str, Any]], nodes: int) -> dict[str, float]:
    """Milliseconds of a core one heartbeat takes, from the slope over all windows.

    `fit` is how well a line fits (r squared): near 0, no cost was seen above the noise.
    """
    own = [one for one in found if not one["leader"]]
    beats = [60 * nodes / one["period"] for one in own]
    told = {}
    for name in ("lead_cpu", "other_cpu"):
        costs = [one[name] for one in own]
        told[f"{name}_ms"] = round(1000 * linear_regression(beats, costs).slope, 3)
        told[f"{name}_fit"] = round(correlation(beats, costs) ** 2, 2)
    return told


def at_size(cost_ms: float, nodes: int, period: int) -> float:
    """Per cent of one core that the heartbeats of so many nodes take."""
    return round(100 * nodes / period * cost_ms / 1000, 2)


def _show(found: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    out = Console(width=_WIDTH)
    entries = summary(found)
    made = Table(title="What a heartbeat costs the managers", box=None, title_style="bold")
    for head in (
        "period, s",
        "leading: CPU s/min", f"/ {_DEFAULT} s", "others: CPU s/min", f"/ {_DEFAULT} s",
        "wire: KiB/node/min", f"/ {_DEFAULT} s", "Down after, s (least-most)", f"/ {_DEFAULT} s",
    ):  # fmt: skip
        made.add_column(head, justify="right")
    for one in entries:
        cells = [str(one["period"])]
        for name, digits in (("lead_cpu", 2), ("other_cpu", 2), ("wire_kib_per_node", 0)):
            cells += [f"{one[name]:.{digits}f}", str(one.get(f"{name}_to_{_DEFAULT}", "-"))]
        cells += [f"{one['down']:.1f} ({one['down_least']:.1f}-{one['down_most']:.1f})"]
        made.add_row(*cells, str(one.get(f"down_to_{_DEFAULT}", "-")))
    out.print(made)
    with_leader = next(one for one in found if one["leader"])
    out.print(
        f"with our leaders at work, {_DEFAULT} s: {with_leader['lead_cpu']:.2f} and"
        f" {with_leader['other_cpu']:.2f} CPU s/min"
    )
    beat = per_beat(found, about["workers"] + _MANAGERS)
    out.print(
        f"one heartbeat: {beat['lead_cpu_ms']} ms of the leading manager's core (r2"
        f" {beat['lead_cpu_fit']}), {beat['other_cpu_ms']} ms of each other's (r2"
        f" {beat['other_cpu_fit']})"
    )
    sizes = [
        {"nodes": nodes, "period": period, "core": at_size(beat["lead_cpu_ms"], nodes, period)}
        for nodes, period in _SIZES
    ]
    out.print(
        "extrapolated, of the leading manager's core: "
        + ", ".join(f"{one['nodes']} nodes at {one['period']} s {one['core']} %" for one in sizes)
    )
    print(
        json.dumps(
            {
                "bench": "heartbeat", **about, "medians": entries, "per_beat": beat,
                "extrapolated": sizes, "windows": list(found),
            }
        )
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.heartbeat", description=__doc__)
    parser.add_argument("--periods", type=_numbers, default=[1, 2, 3, 5], help="seconds, each")
    parser.add_argument("--rounds", type=int, default=2, help="of each period")
    parser.add_argument("--seconds", type=float, default=40.0, help="metered each time")
    parser.add_argument("--workers", type=int, default=5)
    asked = parser.parse_args()
    if asked.workers < _CUT:
        parser.error(f"--workers is {_CUT} at least")
    return asked


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text}: each is 1 or more")
    return numbers


if __name__ == "__main__":
    main()
