"""The `python -m lab …` command line.

Rule: this module only parses options and displays results. Tests can do everything else through
`lab.client`.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from lab import sharing, sweep
from lab.client import Lab, places_of
from lab.commands import images as making
from lab.commands import resume, troubling
from lab.commands import site as sites
from lab.commands import watch as watching
from lab.commands.showing import (
    InstanceId,
    command,
    fail,
    find,
    machines_of,
    out,
    rows,
    table_of,
    watch,
)
from lab.commands.steps import showing_steps
from lab.engines import DEFAULT, ENGINES
from lab.host import LabError
from lab.places import DEFAULT_NAME, NAME_VARIABLE

EngineName = Annotated[str, typer.Option(help=f"Docker engine: {', '.join(ENGINES)}")]

app: Final = typer.Typer(
    help="A cloud on one host: Docker engines in systemd-nspawn machines, and a simulated AWS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(making.app)
app.add_typer(troubling.app)
app.add_typer(watching.app)
app.add_typer(sites.app)


@app.callback()
def choose(
    name: Annotated[
        str,
        typer.Option(
            "--name",
            envvar=NAME_VARIABLE,
            help="Name of the lab; a host can run several labs.",
        ),
    ] = DEFAULT_NAME,
) -> None:
    """A cloud on one host: Docker engines in systemd-nspawn machines, and a simulated AWS."""
    # `Places.here` reads this variable in this process and in its child processes.
    os.environ[NAME_VARIABLE] = places_of(name).name


@app.command()
def up(
    managers: Annotated[int, typer.Option(min=0, max=7)] = 3,
    workers: Annotated[int, typer.Option(min=0)] = 3,
    *,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the nodes; 0 to skip.")] = 60,
    cluster: Annotated[str, typer.Option(help="Name of the cluster.")] = "demo",
    engine: EngineName = DEFAULT,
    resuming: Annotated[
        bool,
        typer.Option("--resume", help="If the lab is already up, only launch missing workers."),
    ] = False,
) -> None:
    """Start the simulated AWS and a cluster of instances; if needed, bake the image first."""
    began = time.monotonic()
    if resuming and (lab := resume.running_lab(places_of())):
        resume.resume(lab, workers=workers, wait=wait)
        return
    with showing_steps("checking the host") as report:
        lab = Lab.up(
            managers=managers,
            workers=workers,
            cluster_name=cluster,
            engine=engine,
            report=report,
        )
    out.print(f"AWS is ready after {time.monotonic() - began:.1f} s at {lab.account.endpoint}")
    out.print(f"the machines run Docker {lab.engine_package()}", highlight=False)
    if wait and managers + workers:
        watch(lab, [machine.instance for machine in machines_of(lab, managers + workers)], wait)
        out.print(f"{managers + workers} nodes are serving after {time.monotonic() - began:.1f} s")


@app.command()
def down(
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Take down every lab on this host, including those that a crash left behind.",
        ),
    ] = False,
) -> None:
    """Take the lab down, whatever its state, but keep the image cache."""
    option = " --all" if everything else ""
    names = {places_of().name, *(sharing.names() if everything else ())}
    left = []
    for places in map(places_of, sorted(names)):
        if not sweep.remains(places):
            out.print(f"the lab {places.name} is not up; there is nothing to take down")
        elif parts := sweep.sweep(places):
            left += [f"{places.name}: {part}" for part in parts]
        else:
            out.print(f"the lab {places.name} is down; the image cache was kept")
    if left:
        fail(
            "could not remove everything; these parts are left:\n  "
            + "\n  ".join(left)
            + f"\nrun `{places_of().command} down{option}` again"
        )


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the state of each instance, its machine and its node."""
    lab = Lab.attach()
    machines = rows(lab)
    if as_json:
        print(json.dumps({"cluster": lab.account.cluster, "machines": machines}, indent=2))
        return
    out.print(table_of(machines))


@app.command()
def nodes() -> None:
    """Ask the active leader for the cluster's nodes, and print them as JSON."""
    print(json.dumps(Lab.attach().nodes(), indent=2))


@app.command()
def show() -> None:
    """Show the output of `spotswarm nodes` and `spotswarm status`, and suggest what to try next."""
    lab = Lab.attach()
    leader = next((node for node in lab.nodes() if node.get("leader")), None)
    if leader is None:
        out.print(f"no leader is responding yet; run `{command()} console ID` to see why")
        return
    machine = lab.machine(leader["instance"])
    for words in ("nodes", "status"):
        output = machine.run("spotswarm", words, check=False).stdout.rstrip()
        out.print(f"\n{output}", markup=False, highlight=False)
    out.print(
        "\nwhat to try next\n"
        f"  join requests: {command()} shell {leader['instance']} -- spotswarm joins\n"
        f"  decisions:     {command()} shell {leader['instance']} -- spotswarm explain ID\n"
        f"  in Docker:     docker -H {machine.docker_host} node ls\n"
        f"  add a worker:  {command()} launch; {command()} status\n"
        f"  interrupt one: {command()} watch --interrupt (shows a worker leave under load)\n"
        f"  more trouble:  {command()} interrupt ID (and others; see {command()} --help)\n"
        f"  cut the power: {command()} kill ID\n"
        f"  take it down:  {command()} down",
        markup=False,
        highlight=False,
    )


@app.command()
def launch(
    *,
    role: Annotated[str, typer.Option(help="worker or manager.")] = "worker",
    lifecycle: Annotated[str | None, typer.Option(help="spot or on-demand.")] = None,
    count: Annotated[int, typer.Option(min=1)] = 1,
    zone: Annotated[str | None, typer.Option(help="a, b or c; by default, each in turn.")] = None,
    instance_type: Annotated[str, typer.Option("--type")] = "t3.small",
    user_data: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    profile: Annotated[str | None, typer.Option(help="Instance profile.")] = None,
    engine: EngineName | None = None,
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
        engine=engine,
    ):
        print(instance)


@app.command()
def terminate(instances: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Terminate instances through EC2."""
    lab = Lab.attach()
    lab.terminate(*(find(lab, name).instance for name in instances))


@app.command()
def console(instance: InstanceId, *, lines: Annotated[int, typer.Option(min=1)] = 60) -> None:
    """Show a machine's console output, and its journal if the machine is running."""
    lab = Lab.attach()
    machine = find(lab, instance)
    out.print(machine.console(), markup=False, highlight=False)
    out.print(lab.last_words(machine, lines), markup=False, highlight=False)


@app.command(context_settings={"ignore_unknown_options": True})
def shell(
    instance: InstanceId,
    command: Annotated[
        list[str] | None, typer.Argument(help="By default, an interactive shell.")
    ] = None,
) -> None:
    """Run a command, or an interactive shell, as root on a machine."""
    argv = find(Lab.attach(), instance).command(*(command or ["bash", "-l"]))
    os.execvp(argv[0], argv)  # noqa: S606 - the command takes over the terminal


def main(run: Callable[[], None] = app) -> None:
    """Run a command; print a `LabError` as a plain message, without a traceback."""
    try:
        run()
    except LabError as exc:
        fail(str(exc))


if __name__ == "__main__":
    main()
