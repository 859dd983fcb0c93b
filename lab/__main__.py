"""`python -m lab …`: the lab's commands for a person.

Rule: nothing happens here that `lab.client` cannot do for a test; this module only shows it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab import sweep
from lab.client import Lab, is_serving
from lab.host import LabError
from lab.machine import Machine
from lab.places import Places
from lab.record import Stage

app: Final = typer.Typer(
    help="A cloud on one machine: real engines in booted systemd machines, an AWS stand-in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# A pipe has no width of its own, and a table cut off says less than a line too long.
_out: Final = Console() if sys.stdout.isatty() else Console(width=120)
_LAB: Final = ".venv/bin/python -m lab"
_STEPS: Final = (Stage.LAUNCHED, Stage.BOOTED, Stage.ENGINE)
_JOINED: Final = len(_STEPS)

InstanceId = Annotated[
    str, typer.Argument(metavar="ID", help="Instance id, or a unique end of it.")
]


@app.command()
def up(
    managers: Annotated[int, typer.Option(min=0, max=7)] = 3,
    workers: Annotated[int, typer.Option(min=0)] = 3,
    wait: Annotated[int, typer.Option(help="Seconds the nodes may take; 0: do not wait.")] = 60,
    cluster: Annotated[str, typer.Option(help="Name of the cluster.")] = "demo",
) -> None:
    """Start the lab: bake what changed, open the cloud, found a cluster, launch instances."""
    began = time.monotonic()
    with _out.status("checking the host") as status:
        lab = Lab.up(
            managers=managers,
            workers=workers,
            cluster_name=cluster,
            report=status.update,
        )
    _out.print(f"the cloud is open after {time.monotonic() - began:.1f} s: {lab.account.endpoint}")
    if wait and managers + workers:
        _wait(lab, [one.instance for one in _machines_of(lab, managers + workers)], wait)
        _out.print(f"{managers + workers} nodes serve after {time.monotonic() - began:.1f} s")


@app.command()
def down() -> None:
    """Take the lab down, whatever state it is in; the image cache is kept."""
    if not (left := sweep.sweep(Places.here())):
        _out.print("the lab is down")
        return
    _fail("could not remove:\n  " + "\n  ".join(left))


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show the machines, what EC2 says of them, and where the addresses lead."""
    lab = Lab.attach()
    rows = _rows(lab)
    if as_json:
        print(json.dumps({"cluster": lab.account.cluster, "machines": rows}, indent=2))
        return
    _out.print(_table(rows))


@app.command()
def nodes() -> None:
    """Print the cluster's nodes as JSON, as the active leader sees them."""
    print(json.dumps(Lab.attach().nodes(), indent=2))


@app.command()
def show() -> None:
    """Show the cluster by our own command, and how to look further."""
    lab = Lab.attach()
    leader = next((one for one in lab.nodes() if one.get("leader")), None)
    if leader is None:
        _out.print("no leader answers yet; see `python -m lab console ID`")
        return
    machine = lab.machine(leader["instance"])
    for words in ("nodes", "status"):
        said = machine.run("spotswarm", words, check=False).stdout.rstrip()
        _out.print(f"\n{said}", markup=False, highlight=False)
    _out.print(
        "\nwhat to try next\n"
        f"  who asked:    {_LAB} shell {leader['instance']} -- spotswarm joins\n"
        f"  and why:      {_LAB} shell {leader['instance']} -- spotswarm explain ID\n"
        f"  in Docker:    docker -H {machine.docker_host} node ls\n"
        f"  one more:     {_LAB} launch; {_LAB} status\n"
        f"  cut a power:  {_LAB} kill ID\n"
        "  the end:      make demo-down",
        markup=False,
        highlight=False,
    )


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("INSTANCE", "ADDRESS", "ROLE", "LIFECYCLE", "ZONE", "EC2", "MACHINE", "NODE"):
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*(str(row[name]) for name in _COLUMNS))
    return table


_COLUMNS: Final = (
    "instance", "address", "role", "lifecycle", "zone", "state", "stage", "node",
)  # fmt: skip


@app.command()
def launch(
    *,
    role: Annotated[str, typer.Option(help="worker or manager")] = "worker",
    lifecycle: Annotated[str | None, typer.Option(help="spot or on-demand")] = None,
    count: Annotated[int, typer.Option(min=1)] = 1,
    zone: Annotated[str | None, typer.Option(help="a, b or c; else they go round")] = None,
    instance_type: Annotated[str, typer.Option("--type")] = "t3.small",
    user_data: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    profile: Annotated[str | None, typer.Option(help="instance profile")] = None,
) -> None:
    """Launch instances and print their ids."""
    lab = Lab.attach()
    for instance in lab.launch(
        role=role,
        lifecycle=lifecycle or ("on-demand" if role == "manager" else "spot"),
        count=count,
        zone=zone,
        instance_type=instance_type,
        user_data=user_data.read_text(encoding="utf-8") if user_data else None,
        profile=profile,
    ):
        print(instance)


@app.command()
def terminate(instances: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Terminate instances, as EC2 does."""
    lab = Lab.attach()
    lab.terminate(*(_find(lab, one).instance for one in instances))


@app.command()
def kill(instances: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Cut the power of machines; EC2 goes on saying that they run."""
    lab = Lab.attach()
    for one in instances:
        lab.kill(_find(lab, one).instance)


@app.command()
def reboot(instance: InstanceId) -> None:
    """Boot a machine again on its disk, also after its power was cut."""
    lab = Lab.attach()
    lab.reboot(_find(lab, instance).instance)


@app.command()
def console(instance: InstanceId, *, lines: Annotated[int, typer.Option(min=1)] = 60) -> None:
    """Show what a machine says: its console, and its journal while it runs."""
    lab = Lab.attach()
    machine = _find(lab, instance)
    _out.print(machine.console(), markup=False, highlight=False)
    _out.print(lab.last_words(machine, lines), markup=False, highlight=False)


@app.command(context_settings={"ignore_unknown_options": True})
def shell(
    instance: InstanceId,
    command: Annotated[list[str] | None, typer.Argument(help="Else an interactive shell.")] = None,
) -> None:
    """Run a command, or a shell, in a machine as root."""
    argv = _find(Lab.attach(), instance).command(*(command or ["bash", "-l"]))
    os.execvp(argv[0], argv)  # noqa: S606 - the terminal is handed over


def _rows(lab: Lab) -> list[dict[str, Any]]:
    nodes = {node.get("instance"): node for node in lab.nodes()}
    stages = {machine.instance: machine.record.stage for machine in lab.machines()}
    rows = []
    for held in lab.aws("ec2").describe_instances()["Reservations"]:
        for one in held["Instances"]:
            if one["State"]["Name"] == "terminated" and one["InstanceId"] not in stages:
                continue
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}
            node = nodes.get(one["InstanceId"], {})
            rows.append(
                {
                    "instance": one["InstanceId"],
                    "address": one["PrivateIpAddress"],
                    "role": tags.get("spotswarm:role", "-"),
                    "lifecycle": one.get("InstanceLifecycle", "on-demand"),
                    "zone": one["Placement"]["AvailabilityZone"],
                    "state": one["State"]["Name"],
                    "stage": stages.get(one["InstanceId"], "-"),
                    "node": f"{node['status']}/{node['availability']}" if node else "-",
                }
            )
    return sorted(rows, key=lambda row: (row["role"], row["address"]))


def _machines_of(lab: Lab, count: int) -> list[Machine]:
    """The machines of a lab just begun, once the daemon has written all of them down."""
    deadline = time.monotonic() + 10
    while len(found := lab.machines()) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _wait(lab: Lab, instances: list[str], within: int) -> None:
    """Show every machine's way from launched to joined."""
    deadline = time.monotonic() + within
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[step]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_out) as progress:
        bars: dict[str, TaskID] = {
            name: progress.add_task(name, total=_JOINED, step="launched") for name in instances
        }
        nodes: list[dict[str, Any]] = []
        while not progress.finished and time.monotonic() < deadline:
            # Asking costs a process in a machine; before there is an engine nobody can answer.
            if all(lab.machine(name).record.stage is Stage.ENGINE for name in instances):
                nodes = lab.nodes()
            serving = {node["instance"] for node in nodes if is_serving(node)}
            for name, bar in bars.items():
                stage = lab.machine(name).record.stage
                done = _JOINED if name in serving else _progress_of(stage)
                step = "joined" if done == _JOINED else str(stage)
                progress.update(bar, completed=done, step=step)
            time.sleep(0.5)
    lab.wait_nodes(len(instances), within=max(0.0, deadline - time.monotonic()))


def _progress_of(stage: Stage) -> int:
    return _STEPS.index(stage) if stage in _STEPS else 0


def _find(lab: Lab, name: str) -> Machine:
    found = [one for one in lab.machines() if name in (one.instance, one.address, one.hostname)]
    found = found or [one for one in lab.machines() if one.instance.endswith(name)]
    if len(found) != 1:
        raise LabError(f"{len(found)} machines are called {name}: `python -m lab status`")
    return found[0]


def _fail(reason: str) -> NoReturn:
    Console(stderr=True).print(reason, style="red", markup=False, highlight=False)
    sys.exit(1)


def main(run: Callable[[], None] = app) -> None:
    """Run a command; errors a person can act on are shown without a traceback."""
    try:
        run()
    except LabError as exc:
        _fail(str(exc))


if __name__ == "__main__":
    main()
