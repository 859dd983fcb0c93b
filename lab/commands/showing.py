"""How the lab's commands show things, and which machine a person means.

Rule: a pipe gets whole lines; nothing is cut to the width of a terminal that is not there.
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
from lab.machines.record import Stage
from lab.places import Places
from wire.labels import TAG_ROLE

# A pipe has no width of its own, and a table cut off says less than a line too long.
out: Final = Console() if sys.stdout.isatty() else Console(width=120)
_STEPS: Final = (Stage.LAUNCHED, Stage.BOOTED, Stage.ENGINE)
_JOINED: Final = len(_STEPS)
_COLUMNS: Final = (
    "instance", "address", "role", "lifecycle", "zone", "state", "stage", "engine", "node",
)  # fmt: skip
_HEADS: Final = {"state": "EC2", "stage": "MACHINE"}

InstanceId = Annotated[
    str, typer.Argument(metavar="ID", help="Instance id, or a unique end of it.")
]


def command() -> str:
    """What a person types to mean the lab that this process is about."""
    return f".venv/bin/{Places.here().command}"


def table_of(rows: list[dict[str, Any]]) -> Table:
    """The machines as `rows` has them, one a line."""
    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(_HEADS.get(column, column.upper()), no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in _COLUMNS))
    return table


def rows(lab: Lab) -> list[dict[str, Any]]:
    """Every instance, as EC2, its machine and the cluster have it."""
    nodes = {node.get("instance"): node for node in lab.nodes()}
    records = {machine.instance: machine.record for machine in lab.machines()}
    found = []
    for held in lab.aws("ec2").describe_instances()["Reservations"]:
        for one in held["Instances"]:
            if one["State"]["Name"] == "terminated" and one["InstanceId"] not in records:
                continue
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
            node = nodes.get(one["InstanceId"], {})
            record = records.get(one["InstanceId"])
            found.append(
                {
                    "instance": one["InstanceId"],
                    "address": one["PrivateIpAddress"],
                    "role": tags.get(TAG_ROLE, "-"),
                    "lifecycle": one.get("InstanceLifecycle", "on-demand"),
                    "zone": one["Placement"]["AvailabilityZone"],
                    "state": one["State"]["Name"],
                    "stage": record.stage if record else "-",
                    "engine": (record and record.engine) or "-",
                    "node": f"{node['status']}/{node['availability']}" if node else "-",
                }
            )
    return sorted(found, key=lambda row: (row["role"], row["address"]))


def machines_of(lab: Lab, count: int) -> list[Machine]:
    """The machines of a lab just begun, once the daemon has written all of them down."""
    deadline = time.monotonic() + 10
    while len(found := lab.machines()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def watch(lab: Lab, instances: list[str], within: int) -> None:
    """Show every machine's way from launched to joined.

    Raises:
        LabError: one did not join in time.
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
            stages = {machine.instance: machine.record.stage for machine in lab.machines()}
            # Before there is an engine nobody can answer.
            if all(stages.get(name) is Stage.ENGINE for name in instances):
                nodes = lab.nodes()
            serving = {node["instance"] for node in nodes if is_serving(node)}
            for name, bar in bars.items():
                # The daemon may not have written it down yet.
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
    """The machine with this instance id, address, host name, or unique end of an id.

    Raises:
        LabError: there is none, or more than one.
    """
    found = [one for one in lab.machines() if name in (one.instance, one.address, one.hostname)]
    found = found or [one for one in lab.machines() if one.instance.endswith(name)]
    if len(found) != 1:
        raise LabError(f"{len(found)} machines are called {name}: `{command()} status`")
    return found[0]


def fail(reason: str) -> NoReturn:
    """Say why, and end."""
    Console(stderr=True).print(reason, style="red", markup=False, highlight=False)
    sys.exit(1)
