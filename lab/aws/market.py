"""The simulated spot market: announcements about instances, and the actions that follow.

Rule: AWS reclaims an instance even if its announcement does not arrive. `By` selects who can see an
announcement. This module only decides what to do: `due` returns the actions, and `lab.aws.taking`
carries them out. Callers pass the current time.

In moto, an instance immediately becomes running, stopped or terminated. On EC2, an instance passes
through intermediate states. `passed` adds these states, based on the state of the machine.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lab.aws import eventbridge
from lab.aws.announced import Announced, By, Interruption, Maintenance, Taking
from lab.aws.cloud import Instance
from lab.aws.eventbridge import Action, Code
from lab.host import LabError
from lab.machines.record import Stage

GRACE_SECONDS: Final = 20.0
"""How long a machine may take to shut down before the lab cuts its power."""
TAKEN_GRACE_SECONDS: Final = 5.0
"""The same limit for a machine that has already had an interruption notice."""
_NOTHING: Final = Announced()
_PATHS: Final = {
    "pending": ("pending",),
    "running": ("pending", "running"),
    "stopping": ("stopping",),
    "stopped": ("stopping", "stopped"),
    "shutting-down": ("shutting-down",),
    "terminated": ("shutting-down", "terminated"),
}
"""State → the states that an instance passes through on EC2, up to and including that state."""


@dataclass(slots=True)
class Market:
    """All announcements in this lab; `send` sends a message to the cluster's queue."""

    send: Callable[[str], None]
    _announced: dict[str, Announced] = field(default_factory=dict)
    _sent_states: dict[str, str] = field(default_factory=dict)
    """Instance id → the last state sent to the queue."""

    def interrupt(
        self, instance: Instance, *, action: Action, by: By, now: datetime, at: datetime
    ) -> None:
        """Announce the interruption of a spot instance; replace any interruption announced earlier.

        Raises:
            LabError: if the instance is not a spot instance, or is not running.
        """
        _require_spot(instance)
        _require_running(instance)
        self._of(instance).interruption = Interruption(action, at, by)
        if by.is_in_queue:
            self.send(eventbridge.interruption(instance, action, now))

    def hint(self, instance: Instance, *, by: By, now: datetime) -> None:
        """Send a rebalance recommendation for a spot instance; AWS takes no other action.

        Raises:
            LabError: if the instance is not a spot instance, or is not running.
        """
        _require_spot(instance)
        _require_running(instance)
        if by.is_in_metadata:
            self._of(instance).hinted = now
        if by.is_in_queue:
            self.send(eventbridge.rebalance(instance, now))

    def maintain(
        self, instance: Instance, *, code: Code, by: By, now: datetime, at: datetime
    ) -> None:
        """Schedule maintenance for an instance; replace any maintenance scheduled earlier.

        Raises:
            LabError: if the instance is not running.
        """
        _require_running(instance)
        planned = Maintenance(f"instance-event-{uuid.uuid4().hex[:17]}", code, at, by)
        self._of(instance).maintenance = planned
        if by.is_in_queue:
            self.send(_health(instance, planned, now))

    def withdraw(self, instance: Instance, *, now: datetime) -> None:
        """Withdraw all announcements for an instance.

        AWS Health sends an event when maintenance is withdrawn. Other withdrawals send no event.
        """
        announced = self._announced.pop(instance.id, _NOTHING)
        planned = announced.maintenance
        if planned and planned.by.is_in_queue:
            self.send(_health(instance, planned, now, status="closed"))

    def text(self, instance: Instance, leaf: str) -> str | None:
        """Return the announcement at a path below `meta-data/`, or None if there is none."""
        return self._announced.get(instance.id, _NOTHING).text(leaf)

    def observe(
        self, instances: Mapping[str, Instance], stages: Mapping[str, Stage], *, now: datetime
    ) -> None:
        """Send an event for every state change since the last call, whatever caused the change."""
        for name, instance in instances.items():
            for state in passed(self._sent_states.get(name), instance.state, stages.get(name)):
                self.send(eventbridge.state_change(instance, state, now))
                self._sent_states[name] = state
                if state in ("stopped", "terminated"):
                    self._announced.pop(name, None)

    def due(self, instances: Mapping[str, Instance], *, now: datetime) -> dict[str, Taking]:
        """Return the actions that are due, by instance id. Each action is returned only once."""
        takings: dict[str, Taking] = {}
        for name, announced in self._announced.items():
            if name not in instances or instances[name].state != "running":
                continue
            coming, planned = announced.interruption, announced.maintenance
            if coming and coming.at <= now and not announced.is_taken:
                announced.is_taken = True
                takings[name] = coming.taking
            elif planned and planned.at <= now:
                announced.maintenance = None
                if taking := planned.taking(instances[name]):
                    takings[name] = taking
        return takings

    def grace(self, name: str) -> float:
        """Return how many seconds an instance's machine may take to shut down."""
        announced = self._announced.get(name)
        return TAKEN_GRACE_SECONDS if announced and announced.is_taken else GRACE_SECONDS

    def _of(self, instance: Instance) -> Announced:
        return self._announced.setdefault(instance.id, Announced())


def _health(
    instance: Instance, planned: Maintenance, now: datetime, *, status: str = "upcoming"
) -> str:
    return eventbridge.scheduled_change(
        instance,
        planned.code,
        now,
        event_id=planned.event_id,
        starts=planned.at,
        ends=planned.ends,
        status=status,
    )


def _require_spot(instance: Instance) -> None:
    if not instance.is_spot:
        raise LabError(
            f"{instance.id} is an on-demand instance; AWS interrupts only spot instances"
        )


def _require_running(instance: Instance) -> None:
    if instance.state != "running":
        raise LabError(f"{instance.id} is not running: its state in EC2 is {instance.state}")


def passed(previous: str | None, state: str, stage: Stage | None) -> tuple[str, ...]:
    """Return the states that an instance entered after `previous`, up to the current state."""
    now = _now(previous, state, stage)
    path = _PATHS[now]
    if previous == now:
        return ()
    if previous == "stopping" and now in ("pending", "running"):
        # The instance started again between two calls.
        return ("stopped", *path)
    return path[path.index(previous) + 1 :] if previous in path else path


def _now(previous: str | None, state: str, stage: Stage | None) -> str:
    """Return the state that EC2 would report, given moto's state and the machine's stage."""
    is_on = stage not in (None, Stage.LAUNCHED, Stage.STOPPED)
    match state:
        case "pending" | "running":
            # A reboot is not a state change.
            return "running" if is_on or previous == "running" else "pending"
        case "stopping" | "stopped":
            return "stopping" if is_on else "stopped"
        case _:
            return "terminated" if stage is None else "shutting-down"
