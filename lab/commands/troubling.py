"""`python -m lab interrupt …`: the commands that give instances trouble, by AWS or by accident.

Rule: each says in one line what will happen and when, and in one what to look at.
"""

from typing import Annotated, Final

import typer

from lab.client import Lab
from lab.commands.showing import InstanceId, command, find, out

app: Final = typer.Typer()

Told = Annotated[
    str, typer.Option("--by", help="Told by: both, imds (to the machine), sqs (a leader), neither.")
]


@app.command()
def interrupt(
    instance: InstanceId,
    *,
    notice: Annotated[float, typer.Option(min=0, help="Seconds; on AWS 120.")] = 120,
    action: Annotated[str, typer.Option(help="terminate, stop or hibernate")] = "terminate",
    by: Told = "both",
) -> None:
    """Let AWS take a spot instance: the warning now, the end when the notice is over."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.interrupt(name, notice=notice, action=action, by=by)
    _say(
        f"{name} is told by {by}; at {at}, in {notice:g} s, EC2 will {action} it",
        f"watch {command()} status",
    )


@app.command()
def hint(instance: InstanceId, *, by: Told = "both") -> None:
    """Let AWS recommend to leave a spot instance; nothing follows by itself."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.hint(name, by=by)
    _say(
        f"{name} is told by {by} at {at} that it may be taken sooner than others; nothing follows",
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
    by: Told = "both",
) -> None:
    """Let AWS schedule maintenance of an instance."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.maintain(name, within=within, code=code, by=by)
    _say(
        f"{name} is told by {by} of {code}; it takes place at {at}, in {within:g} s",
        f"{command()} withdraw {name}, or wait",
    )


@app.command()
def withdraw(instance: InstanceId) -> None:
    """Let AWS take back what it announced of an instance and has not done yet."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.market.withdraw(name)
    _say(f"nothing is announced of {name} any more, and nothing will happen", f"{command()} status")


@app.command()
def partition(instance: InstanceId) -> None:
    """Pull a machine's network cable; it runs on and reaches nobody."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.partition(name)
    _say(
        f"{name} is cut off now; its node is down about 15 s later",
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
    """Cut the power of machines; EC2 goes on saying that they run."""
    lab = Lab.attach()
    for one in instances:
        lab.kill(find(lab, one).instance)


@app.command()
def reboot(instance: InstanceId) -> None:
    """Boot a machine again on its disk, also after its power was cut."""
    lab = Lab.attach()
    lab.reboot(find(lab, instance).instance)


def _say(what: str, look: str) -> None:
    out.print(f"{what}\n  next: {look}", markup=False, highlight=False)
