"""Chooses the actions that make machines match the EC2 instances. This module does no I/O.

Rule: take no action on a machine that has lost power until its instance is stopped or terminated,
because EC2 does not notice the loss of power.
"""

from collections.abc import Mapping
from enum import StrEnum

from lab.machines.record import RUNNING, Stage


class Act(StrEnum):
    """An action on one machine."""

    CREATE = "create"
    """Build the machine and switch it on."""
    BOOT = "boot"
    """Switch on a machine that exists."""
    SHUT_DOWN = "shut down"
    SETTLE = "settle"
    """Record a machine without power as stopped."""
    DESTROY = "destroy"


def reconcile(states: Mapping[str, str], stages: Mapping[str, Stage]) -> dict[str, Act]:
    """Compare instance states with machine stages; return the actions to take, by instance id."""
    acts = {
        instance: act
        for instance, state in states.items()
        if (act := _act(state, stages.get(instance))) is not None
    }
    acts.update(dict.fromkeys(stages.keys() - states.keys(), Act.DESTROY))
    return acts


def _act(state: str, stage: Stage | None) -> Act | None:
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
