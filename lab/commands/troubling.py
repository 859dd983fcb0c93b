"""The `python -m lab` commands that disturb instances, such as `interrupt` and `partition`.

Rule: a message has one line about what will happen and when, and one line about what to do next.
"""

from typing import Annotated, Final

import typer

from lab.client import Lab
from lab.commands.showing import InstanceId, command, find, out

app: Final = typer.Typer()

Audience = Annotated[
    str,
    typer.Option("--by", help="Where to announce: imds (machine), sqs (leader), both or neither."),
]


@app.command()
def interrupt(
    instance: InstanceId,
    *,
    notice: Annotated[float, typer.Option(min=0, help="Seconds of notice; 120 on AWS.")] = 120,
    action: Annotated[str, typer.Option(help="terminate, stop or hibernate")] = "terminate",
    by: Audience = "both",
) -> None:
    """Announce that AWS will reclaim a spot instance, and reclaim it after the notice period."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.interrupt(name, notice=notice, action=action, by=by)
    _say(
        f"EC2 will {action} {name} at {at}, in {notice:g} s (announced to: {by})",
        f"watch {command()} status",
    )


@app.command()
def hint(instance: InstanceId, *, by: Audience = "both") -> None:
    """Send a rebalance recommendation for a spot instance; AWS takes no other action."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.hint(name, by=by)
    _say(
        f"AWS sent a rebalance recommendation for {name} at {at} (announced to: {by})",
        f"watch {command()} status",
    )


@app.command()
def maintain(
    instance: InstanceId,
    *,
    within: Annotated[float, typer.Option("--in", min=0, help="Seconds until it starts.")] = 600,
    code: Annotated[
        str,
        typer.Option(
            help="instance-retirement, instance-stop, instance-reboot, system-reboot"
            " or system-maintenance"
        ),
    ] = "instance-retirement",
    by: Audience = "both",
) -> None:
    """Schedule maintenance for an instance, as AWS does."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    at = lab.market.maintain(name, within=within, code=code, by=by)
    _say(
        f"EC2 scheduled {code} for {name} at {at}, in {within:g} s (announced to: {by})",
        f"wait, or run {command()} withdraw {name}",
    )


@app.command()
def withdraw(instance: InstanceId) -> None:
    """Withdraw all pending announcements for an instance."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.market.withdraw(name)
    _say(
        f"AWS has withdrawn all announcements for {name}, so nothing will happen",
        f"{command()} status",
    )


@app.command()
def partition(instance: InstanceId) -> None:
    """Unplug a machine's network cable; the machine keeps running but cannot reach anything."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.partition(name)
    _say(
        f"{name} has no network now; its node will be down within a few seconds",
        f"{command()} nodes; to reconnect the machine, {command()} heal {name}",
    )


@app.command()
def heal(instance: InstanceId) -> None:
    """Plug a machine's network cable back in."""
    lab = Lab.attach()
    name = find(lab, instance).instance
    lab.heal(name)
    _say(f"{name} is connected again; its node will be ready in a moment", f"{command()} nodes")


@app.command()
def kill(instances: Annotated[list[str], typer.Argument(metavar="ID...")]) -> None:
    """Cut the power to machines; EC2 still reports their instances as running."""
    lab = Lab.attach()
    for name in instances:
        lab.kill(find(lab, name).instance)


@app.command()
def reboot(instance: InstanceId) -> None:
    """Reboot a machine, or boot it again after a power cut; its disk is kept."""
    lab = Lab.attach()
    lab.reboot(find(lab, instance).instance)


def _say(effect: str, next_step: str) -> None:
    out.print(f"{effect}\n  next: {next_step}", markup=False, highlight=False)
