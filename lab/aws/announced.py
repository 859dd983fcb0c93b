"""Announcements from AWS about one instance, and their text in the metadata service.

This module does no I/O.

Rule: each announcement records who can see it. AWS may reclaim an instance even if nobody can see
the announcement.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lab.aws import eventbridge
from lab.aws.cloud import Instance
from lab.aws.eventbridge import Action, Code, stamp

_WINDOW: Final = timedelta(hours=2)
"""How long a scheduled event lasts."""


class By(StrEnum):
    """Who can see an announcement: the machine (metadata), the leader (queue), both or neither."""

    BOTH = "both"
    IMDS = "imds"
    SQS = "sqs"
    NEITHER = "neither"

    @property
    def is_in_metadata(self) -> bool:
        """Whether the metadata service shows the announcement."""
        return self in (By.BOTH, By.IMDS)

    @property
    def is_in_queue(self) -> bool:
        """Whether EventBridge sends the announcement to the queue."""
        return self in (By.BOTH, By.SQS)


class Taking(StrEnum):
    """What AWS does to an instance at the announced time."""

    TERMINATE = "terminate"
    STOP = "stop"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True)
class Interruption:
    """An announcement that AWS will reclaim a spot instance."""

    action: Action
    at: datetime
    by: By

    @property
    def taking(self) -> Taking:
        """What AWS does to the instance; lab machines cannot hibernate, so they stop instead."""
        return Taking.TERMINATE if self.action is Action.TERMINATE else Taking.STOP


@dataclass(frozen=True, slots=True)
class Maintenance:
    """An announcement of a scheduled event for an instance."""

    event_id: str
    code: Code
    at: datetime
    by: By

    @property
    def ends(self) -> datetime:
        """The time when the event ends."""
        return self.at + _WINDOW

    def taking(self, instance: Instance) -> Taking | None:
        """Return what AWS does to the instance, or None if AWS does nothing.

        A one-time spot instance cannot be stopped, so AWS terminates it instead.
        """
        match self.code:
            case Code.RETIREMENT | Code.STOP:
                return Taking.TERMINATE if instance.is_spot else Taking.STOP
            case Code.REBOOT | Code.SYSTEM_REBOOT:
                return Taking.REBOOT
            case Code.MAINTENANCE:
                return None


@dataclass(slots=True)
class Announced:
    """All announcements for one instance."""

    interruption: Interruption | None = None
    hinted: datetime | None = None
    maintenance: Maintenance | None = None
    is_taken: bool = False
    """Whether the interruption has taken place."""

    def text(self, leaf: str) -> str | None:
        """Return the announcement at a path below `meta-data/`, or None if there is none."""
        coming = self.interruption
        if coming is not None and not coming.by.is_in_metadata:
            coming = None
        match leaf:
            case "spot/instance-action" if coming:
                return json.dumps({"action": str(coming.action), "time": stamp(coming.at)})
            case "spot/termination-time" if coming and coming.action is Action.TERMINATE:
                return stamp(coming.at)
            case "events/recommendations/rebalance" if self.hinted:
                return json.dumps({"noticeTime": stamp(self.hinted)})
            case "events/maintenance/scheduled":
                return json.dumps(self._scheduled())
        return None

    def _scheduled(self) -> list[dict[str, str]]:
        planned = self.maintenance
        if planned is None or not planned.by.is_in_metadata:
            return []
        return [
            {
                "NotBefore": _gmt(planned.at),
                "Code": str(planned.code),
                "Description": eventbridge.description(planned.code),
                "EventId": planned.event_id,
                "NotAfter": _gmt(planned.ends),
                "State": "active",
            }
        ]


def _gmt(at: datetime) -> str:
    return at.strftime("%d %b %Y %H:%M:%S GMT")
