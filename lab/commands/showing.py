"""Prints the output of the lab's commands, and finds the machine that a user specifies.

Rule: output to a pipe is never truncated to a terminal's width.
"""

import sys
import time
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab.client import Lab, is_serving
from lab.host import LabError
from lab.machines.machine import Machine
from lab.machines.record import Stage, read_all
from lab.places import Places
from wire.labels import TAG_ROLE

# A pipe has no width, and long lines are more useful than a truncated table.
out: Final = Console() if sys.stdout.isatty() else Console(width=120)
_STEPS: Final = (Stage.LAUNCHED, Stage.BOOTED, Stage.ENGINE)
_JOINED: Final = len(_STEPS)
_COLUMNS: Final = (
    "instance", "address", "role", "lifecycle", "zone", "state", "stage", "engine", "node",
)  # fmt: skip
_HEADS: Final = {"state": "EC2", "stage": "MACHINE"}

InstanceId = Annotated[
    str, typer.Argument(metavar="ID", help="Instance id, or its last characters if unique.")
]


def command() -> str:
    """Return the command that controls the current lab."""
    return f".venv/bin/{Places.here().command}"


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Return a table with one row for each instance."""
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(_HEADS.get(column, column.upper()), no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in _COLUMNS))
    return table


def rows(lab: Lab) -> list[dict[str, Any]]:
    """Return a row for each instance, with the states of the instance, its machine and its node."""
    nodes = {node.get("instance"): node for node in lab.nodes()}
    records = {record.instance: record for record in read_all(lab.places.machines)}
    described = []
    for reservation in lab.aws("ec2").describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] == "terminated" and instance["InstanceId"] not in records:
                continue
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
            node = nodes.get(instance["InstanceId"], {})
            record = records.get(instance["InstanceId"])
            described.append(
                {
                    "instance": instance["InstanceId"],
                    "address": instance["PrivateIpAddress"],
                    "role": tags.get(TAG_ROLE, "-"),
                    "lifecycle": instance.get("InstanceLifecycle", "on-demand"),
                    "zone": instance["Placement"]["AvailabilityZone"],
                    "state": instance["State"]["Name"],
                    "stage": record.stage if record else "-",
                    "engine": (record and record.engine) or "-",
                    "node": f"{node['status']}/{node['availability']}" if node else "-",
                }
            )
    return sorted(described, key=lambda row: (row["role"], row["address"]))


def machines_of(lab: Lab, count: int) -> list[Machine]:
    """Return a new lab's machines; wait up to 10 s for the daemon to record them."""
    deadline = time.monotonic() + 10
    while len(machines := lab.machines()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return machines


def watch(lab: Lab, instances: list[str], within: int) -> None:
    """Show each machine's progress from its launch until its node has joined the swarm.

    Raises:
        LabError: if a machine does not join in time.
    """
    deadline = time.monotonic() + within
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[step]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        bars: dict[str, TaskID] = {
            name: progress.add_task(name, total=_JOINED, step="launched") for name in instances
        }
        nodes: list[dict[str, Any]] = []
        while not progress.finished and time.monotonic() < deadline:
            stages = {record.instance: record.stage for record in read_all(lab.places.machines)}
            # No leader can respond before the engines do.
            if all(stages.get(name) is Stage.ENGINE for name in instances):
                nodes = lab.nodes()
            serving = {node["instance"] for node in nodes if is_serving(node)}
            for name, bar in bars.items():
                # The daemon may not have recorded the machine yet.
                stage = stages.get(name, Stage.LAUNCHED)
                done = _JOINED if name in serving else _progress_of(stage)
                step = "joined" if done == _JOINED else str(stage)
                progress.update(bar, completed=done, step=step)
            time.sleep(0.5)
        if progress.finished:
            return
    lab.wait_nodes(len(instances), within=max(0.0, deadline - time.monotonic()))


def _progress_of(stage: Stage) -> int:
    return _STEPS.index(stage) if stage in _STEPS else 0


def find(lab: Lab, name: str) -> Machine:
    """Return the machine with this instance id, address or host name.

    The last characters of an instance id are sufficient if they are unique.

    Raises:
        LabError: if no machine matches, or more than one machine matches.
    """
    matches = [
        machine
        for machine in lab.machines()
        if name in (machine.instance, machine.address, machine.hostname)
    ]
    matches = matches or [machine for machine in lab.machines() if machine.instance.endswith(name)]
    if len(matches) != 1:
        raise LabError(
            f"{len(matches)} machines match {name}; run `{command()} status` to list the machines"
        )
    return matches[0]


def fail(reason: str) -> NoReturn:
    """Print the reason for the failure to stderr, and exit with status 1."""
    Console(stderr=True).print(reason, style="red", markup=False, highlight=False)
    sys.exit(1)
