"""Reuses a lab that is already up, so that every `make demo...` command can be repeated.

Rule: this module launches missing workers, but changes nothing that is running. It removes the
remains of a lab whose daemon has died, because such a lab no longer works.
"""

from dataclasses import dataclass
from typing import Any

from lab import sweep
from lab.client import Lab, is_serving
from lab.commands.showing import command, out, watch
from lab.host import LabError
from lab.machines.record import Stage, read_all
from lab.places import Places
from wire.labels import TAG_ROLE


@dataclass(frozen=True, slots=True)
class Inventory:
    """The ids of a lab's instances that EC2 reports as pending or running."""

    managers: tuple[str, ...]
    workers: tuple[str, ...]
    dead: tuple[str, ...]
    """Instances of either role whose machines have no power."""


def running_lab(places: Places) -> Lab | None:
    """Return the lab if it is up and complete; otherwise, remove what is left and return None.

    Raises:
        LabError: if part of the lab could not be removed; the message lists what is left.
    """
    remains = sweep.remains(places)
    if not remains:
        return None
    is_founded = (places.cluster / "managers").exists()
    if sweep.daemon(places) is not None and places.account.exists() and is_founded:
        return Lab.attach(places.name)
    out.print(f"found the remains of a lab that crashed or was interrupted ({remains[0]})")
    with out.status("removing the remains"):
        if stuck := sweep.sweep(places):
            raise LabError("could not remove these parts of the lab: " + "; ".join(stuck))
    return None


def resume(lab: Lab, *, workers: int, wait: int) -> None:
    """Print the lab's state, and launch workers until there are at least `workers` of them."""
    inventory = inventory_of(lab)
    serving = sum(map(is_serving, lab.nodes()))
    out.print(
        f"the lab {lab.places.name} is already up: {_count(len(inventory.managers), 'manager')},"
        f" {_count(len(inventory.workers), 'worker')}; nodes serving: {serving}"
    )
    for instance in inventory.dead:
        out.print(
            f"{instance} has no power; run `{command()} reboot {instance}` to boot it again",
            highlight=False,
        )
    missing = workers - len(inventory.workers)
    if missing > 0:
        out.print(f"launching {_count(missing, 'more worker')}, for a total of {workers}")
        watch(lab, lab.launch(role="worker", lifecycle="spot", count=missing), wait or 60)


def inventory_of(lab: Lab) -> Inventory:
    """Return the instance ids in three groups: managers, workers, and machines without power."""
    records = read_all(lab.places.machines)
    dead = {record.instance for record in records if record.stage is Stage.DEAD}
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
