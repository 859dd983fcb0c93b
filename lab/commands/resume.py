"""Continues with a lab that is up, so that a person can repeat every `make demo...`.

Rule: it only adds. It launches missing workers and changes nothing that runs. It removes only the
remains of a lab whose daemon died, because nothing in them works.
"""

from dataclasses import dataclass
from typing import Any

from lab import sweep
from lab.client import Lab, is_serving
from lab.commands.showing import command, out, watch
from lab.host import LabError
from lab.machines.record import Stage
from lab.places import Places
from wire.labels import TAG_ROLE


@dataclass(frozen=True, slots=True)
class Inventory:
    """The ids of a lab's instances that EC2 reports as running."""

    managers: tuple[str, ...]
    workers: tuple[str, ...]
    dead: tuple[str, ...]
    """Instances of both roles without power."""


def running_lab(places: Places) -> Lab | None:
    """The lab if it is up and complete; removes the remains of a crashed lab.

    Raises:
        LabError: names what could not be removed.
    """
    remains = sweep.remains(places)
    if not remains:
        return None
    is_founded = (places.cluster / "managers").exists()
    if sweep.daemon(places) is not None and places.account.exists() and is_founded:
        return Lab.attach(places.name)
    out.print(f"found the remains of a lab that crashed or was interrupted ({remains[0]})")
    with out.status("removing it"):
        if stuck := sweep.sweep(places):
            raise LabError("could not remove: " + "; ".join(stuck))
    return None


def resume(lab: Lab, *, workers: int, wait: int) -> None:
    """Print the lab's state, and launch workers until it has `workers` of them again."""
    inventory = inventory_of(lab)
    serving = sum(map(is_serving, lab.nodes()))
    out.print(
        f"found the lab {lab.places.name} up: {_count(inventory.managers, 'manager')},"
        f" {_count(inventory.workers, 'worker')}; {serving} nodes serve"
    )
    for instance in inventory.dead:
        out.print(f"{instance} has no power: {command()} reboot {instance}", highlight=False)
    missing = workers - len(inventory.workers)
    if missing > 0:
        out.print(f"launching {missing} more to have {workers} workers")
        watch(lab, lab.launch(role="worker", lifecycle="spot", count=missing), wait or 60)


def inventory_of(lab: Lab) -> Inventory:
    """The lab's instances; those without power are separate."""
    dead = {machine.instance for machine in lab.machines() if machine.record.stage is Stage.DEAD}
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = lab.aws("ec2").describe_instances(Filters=filters)["Reservations"]
    instances = [instance for part in reservations for instance in part["Instances"]]
    ids = {str(instance["InstanceId"]): _role(instance) for instance in instances}
    alive = {name: role for name, role in ids.items() if name not in dead}
    return Inventory(
        managers=tuple(name for name, role in alive.items() if role == "manager"),
        workers=tuple(name for name, role in alive.items() if role == "worker"),
        dead=tuple(name for name in ids if name in dead),
    )


def _role(instance: dict[str, Any]) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
    return str(tags.get(TAG_ROLE, ""))


def _count(items: tuple[str, ...], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
