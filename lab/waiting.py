"""Finds the machines of a lab, and waits until they reach a stage."""

import time
from collections.abc import Collection

from lab.host import LabError
from lab.machines.machine import Machine
from lab.machines.record import RUNNING, Stage, read, read_all
from lab.places import Places


def machine(places: Places, instance: str) -> Machine:
    """The machine of an instance.

    Raises:
        LabError: the instance has no machine, or not yet.
    """
    record = read(places.machines, instance)
    if record is None:
        raise LabError(f"no machine {instance}; `python -m lab status` lists them")
    return Machine(record.instance, record.address, record.hostname, places.machines)


def machines(places: Places) -> list[Machine]:
    """All machines, in whatever stage."""
    return [machine(places, record.instance) for record in read_all(places.machines)]


def running_managers(places: Places) -> list[Machine]:
    """The managers whose engines answer."""
    return [
        machine(places, record.instance)
        for record in read_all(places.machines)
        if record.role == "manager" and record.stage is Stage.ENGINE
    ]


def last_words(machine: Machine, lines: int = 25) -> str:
    """The stage of a machine and the end of its journal, for a person."""
    record = machine.record
    if record.stage in RUNNING:
        units = ("spotswarm-agent", "spotswarm-leader", "docker")
        output = machine.journal(*units, lines=lines)
    else:
        output = machine.console()[-2000:]
    return f"{machine.instance} ({machine.hostname}) is {record.stage}:\n{output}"


def wait_stage(places: Places, instance: str, stages: Collection[Stage], *, within: float) -> None:
    """Wait until an instance's machine is in one of these stages.

    Raises:
        LabError: it is not after `within` seconds; quotes the end of its journal.
    """
    deadline = time.monotonic() + within
    while True:
        record = read(places.machines, instance)
        if record is not None and record.stage in stages:
            return
        if time.monotonic() > deadline:
            wanted = " or ".join(sorted(stages))
            problem = f"{instance} is not {wanted} after {within:.0f} s"
            if record is None:
                raise LabError(f"{problem}; no machine was built, see {places.log}")
            raise LabError(f"{problem}; {last_words(machine(places, instance))}")
        time.sleep(0.05)


def wait_reboot(places: Places, instance: str, init: int | None, *, within: float) -> None:
    """Wait until a machine runs with another init than this one.

    Raises:
        LabError: it does not after `within` seconds; quotes the end of its journal.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        record = read(places.machines, instance)
        if record and record.stage in RUNNING and record.init != init:
            return
        time.sleep(0.05)
    raise LabError(f"{instance} did not boot again; {last_words(machine(places, instance))}")
