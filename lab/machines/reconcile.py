"""What to do so that the machines are what EC2 says the instances are. Pure.

Rule: a machine whose power was cut is left alone until EC2 says it is stopped or terminated:
EC2 does not know either.
"""

from collections.abc import Mapping
from enum import StrEnum

from lab.machines.record import RUNNING, Stage


class Act(StrEnum):
    """What to do with one machine."""

    CREATE = "create"
    """Build it and switch it on."""
    BOOT = "boot"
    """Switch on what is built already."""
    SHUT_DOWN = "shut down"
    SETTLE = "settle"
    """Take a cut power for a stop."""
    DESTROY = "destroy"


def reconcile(states: Mapping[str, str], stages: Mapping[str, Stage]) -> dict[str, Act]:
    """Instance id → act, from EC2's states and the machines' stages."""
    acts = {
        instance: act
        for instance, state in states.items()
        if (act := _one(state, stages.get(instance))) is not None
    }
    acts.update(dict.fromkeys(stages.keys() - states.keys(), Act.DESTROY))
    return acts


def _one(state: str, stage: Stage | None) -> Act | None:
    match state:
        case "pending" | "running":
            if stage is None:
                return Act.CREATE
            return Act.BOOT if stage is Stage.STOPPED else None
        case "stopping" | "stopped":
            if stage in RUNNING:
                return Act.SHUT_DOWN
            return Act.SETTLE if stage is Stage.DEAD else None
        case _:
            return Act.DESTROY if stage is not None else None
