"""`python -m lab interrupt …`: the commands that disturb instances, by AWS or by accident.

Rule: each prints one line that says what happens and when, and one line that says what to watch.
"""

from typing import Annotated, Final

import typer

from lab.client import Lab
from lab.commands.showing import InstanceId, command, find, out

app: Final = typer.Typer()

Audience = Annotated[
    str,
    typer.Option(
        "--by", help="Announced by: both, imds (to the machine), sqs (to the leader), neither."
    ),
]


@app.command()
def interrupt(
    instance: InstanceId,
    *,
    notice: Annotated[float, typer.Option(min=0, help="Seconds; on AWS 120.")] = 120,
    action: Annotated[str, typer.Option(help="terminate, stop or hibernate")] = "terminate",
    by: Audience = "both",
) -> None:
    """Let AWS interrupt a spot instance: warn now, take it when the notice is over."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.interrupt(name, notice=notice, action=action, by=by)
    _say(
        f"announced by {by}: EC2 will {action} {name} at {at}, in {notice:g} s",
        f"watch {command()} status",
    )


@app.command()
def hint(instance: InstanceId, *, by: Audience = "both") -> None:
    """Let AWS recommend to leave a spot instance; AWS does nothing else."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.hint(name, by=by)
    _say(
        f"announced by {by} at {at}: AWS may take {name} sooner than others; it does nothing else",
        f"watch {command()} status",
    )


@app.command()
def maintain(
    instance: InstanceId,
    *,
    within: Annotated[float, typer.Option("--in", min=0, help="Seconds.")] = 600,
    code: Annotated[
        str,
        typer.Option(
            help="instance-retirement, instance-stop, instance-reboot, system-reboot"
            " or system-maintenance"
        ),
    ] = "instance-retirement",
    by: Audience = "both",
) -> None:
    """Let AWS schedule maintenance of an instance."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.maintain(name, within=within, code=code, by=by)
    _say(
        f"announced by {by}: {code} of {name} at {at}, in {within:g} s",
        f"{command()} withdraw {name}, or wait",
    )


@app.command()
def withdraw(instance: InstanceId) -> None:
    """Let AWS withdraw its announcements for an instance that are still pending."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.market.withdraw(name)
    _say(
        f"AWS has withdrawn all announcements for {name}; nothing will happen",
        f"{command()} status",
    )


@app.command()
def partition(instance: InstanceId) -> None:
    """Pull a machine's network cable; it still runs but reaches nothing."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.partition(name)
    _say(
        f"{name} has no network now; its node is down about 15 s later",
        f"{command()} nodes; end it with {command()} heal {name}",
    )


@app.command()
def heal(instance: InstanceId) -> None:
    """Put a machine's network cable back."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.heal(name)
    _say(f"{name} is connected again; its node is ready within seconds", f"{command()} nodes")


@app.command()
def kill(instances: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Cut the power of machines; EC2 still reports them as running."""
    lab = Lab.attach()
    for name in instances:
        lab.kill(find(lab, name).instance)


@app.command()
def reboot(instance: InstanceId) -> None:
    """Boot a machine again on its disk, also after its power was cut."""
    lab = Lab.attach()
    lab.reboot(find(lab, instance).instance)


def _say(effect: str, next_step: str) -> None:
    out.print(f"{effect}\n  next: {next_step}", markup=False, highlight=False)
