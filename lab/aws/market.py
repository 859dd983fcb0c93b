"""The spot market: what AWS announces of an instance, and what it then does.

Rule: announcements are best effort, the taking is not. `By` chooses who is told; whoever was
told nothing loses the instance all the same. Nothing here acts: `due` says what to do, and
`lab.aws.taking` does it. Times come in as values.
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
from lab.aws.states import passed
from lab.host import LabError
from lab.machines.record import Stage

GRACE_SECONDS: Final = 20.0
"""How long a machine may take to shut down before its power is cut."""
TAKEN_GRACE_SECONDS: Final = 5.0
"""The same once its two minutes are over."""
_NOTHING: Final = Announced()


@dataclass(slots=True)
class Market:
    """All that is announced in this lab; `send` puts a text into the cluster's queue."""

    send: Callable[[str], None]
    _announced: dict[str, Announced] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def interrupt(
        self, instance: Instance, *, action: Action, by: By, now: datetime, at: datetime
    ) -> None:
        """Announce that a spot instance is taken at a time; again replaces the announcement.

        Raises:
            LabError: it is no spot instance, or does not run.
        """
        _require_spot(instance)
        _require_running(instance)
        self._of(instance).interruption = Interruption(action, at, by)
        if by.is_in_queue:
            self.send(eventbridge.interruption(instance, action, now))

    def hint(self, instance: Instance, *, by: By, now: datetime) -> None:
        """Recommend to leave a spot instance; nothing follows from it.

        Raises:
            LabError: it is no spot instance, or does not run.
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
        """Schedule maintenance of an instance; again replaces what was scheduled.

        Raises:
            LabError: it does not run.
        """
        _require_running(instance)
        planned = Maintenance(f"instance-event-{uuid.uuid4().hex[:17]}", code, at, by)
        self._of(instance).maintenance = planned
        if by.is_in_queue:
            self.send(_health(instance, planned, now))

    def withdraw(self, instance: Instance, *, now: datetime) -> None:
        """Take everything back. Only AWS Health says so; EC2 just falls silent."""
        held = self._announced.pop(instance.id, _NOTHING)
        planned = held.maintenance
        if planned and planned.by.is_in_queue:
            self.send(_health(instance, planned, now, status="closed"))

    def text(self, instance: Instance, leaf: str) -> str | None:
        """What the metadata service tells at a path below `meta-data/`; None: nothing."""
        return self._announced.get(instance.id, _NOTHING).text(leaf)

    def observe(
        self, instances: Mapping[str, Instance], stages: Mapping[str, Stage], *, now: datetime
    ) -> None:
        """Tell of every change of state since the last look, whoever caused it."""
        for name, instance in instances.items():
            for state in passed(self._told.get(name), instance.state, stages.get(name)):
                self.send(eventbridge.state_change(instance, state, now))
                self._told[name] = state
                if state in ("stopped", "terminated"):
                    self._announced.pop(name, None)

    def due(self, instances: Mapping[str, Instance], *, now: datetime) -> dict[str, Taking]:
        """What AWS does now, instance by instance; each is said once."""
        found: dict[str, Taking] = {}
        for name, held in self._announced.items():
            if name not in instances or instances[name].state != "running":
                continue
            coming, planned = held.interruption, held.maintenance
            if coming and coming.at <= now and not held.is_taken:
                held.is_taken = True
                found[name] = coming.taking
            elif planned and planned.at <= now:
                held.maintenance = None
                if taking := planned.taking(instances[name]):
                    found[name] = taking
        return found

    def grace(self, name: str) -> float:
        """Seconds an instance's machine has to shut down, once it is told to."""
        held = self._announced.get(name)
        return TAKEN_GRACE_SECONDS if held and held.is_taken else GRACE_SECONDS

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
        raise LabError(f"{instance.id} is on demand; AWS takes back spot instances alone")


def _require_running(instance: Instance) -> None:
    if instance.state != "running":
        raise LabError(f"{instance.id} does not run: EC2 says it is {instance.state}")
