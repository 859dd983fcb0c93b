"""What a message of the queue says: EventBridge's events as notices.

Rule: anything may be in a queue. No text raises, and no text of a message is quoted.
The events' fields: https://docs.aws.amazon.com/ec2/latest/userguide/spot-instance-termination-notices.html
https://docs.aws.amazon.com/ec2/latest/userguide/rebalance-recommendations.html
https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from leader.view.ids import InstanceId
from leader.view.notices import NOTICE, Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that calls for nothing of us; `what` is safe to count by."""

    what: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """No event, or one without what its kind must have."""

    why: str


Parsed = tuple[Notice, ...] | Unknown | Malformed
Event = Mapping[str, Any]

_INSTANCE: Final = re.compile(r"i-[0-9a-f]{8,17}")
_WORD: Final = re.compile(r"[A-Za-z0-9_:.-]{1,100}")


class _MalformedError(Exception):
    """Something an event of this kind must have is not there; never leaves this module."""


def parse(body: str) -> Parsed:
    """The notices of one message; never an empty tuple."""
    try:
        event = json.loads(body)
        if not isinstance(event, dict):
            return Malformed("it is no JSON object")
        parser = _PARSERS.get((str(event.get("source")), str(event.get("detail-type"))))
        if parser is None:
            return Unknown("another event")
        if not isinstance(event.get("detail"), dict):
            return Malformed("it has no detail")
        return parser(event)
    except _MalformedError as exc:
        return Malformed(str(exc))
    # A number of too many digits is a ValueError, a deep nesting a RecursionError.
    except (ValueError, RecursionError):
        return Malformed("it is no JSON")


def _interruption(event: Event) -> Parsed:
    action = _word(event["detail"].get("instance-action"), "action")
    return (_notice(event, "interruption", "instance-id", action=action, is_urgent=True),)


def _rebalance(event: Event) -> Parsed:
    return (_notice(event, "rebalance", "instance-id"),)


def _state(event: Event) -> Parsed:
    return (
        _notice(event, "state", "instance-id", action=_word(event["detail"].get("state"), "state")),
    )


def _lifecycle(event: Event) -> Parsed:
    """The group gives until its hook's time-out; the event does not say how long that is."""
    return (_notice(event, "interruption", "EC2InstanceId", action="terminate", is_urgent=True),)


def _health(event: Event) -> Parsed:
    detail = event["detail"]
    if detail.get("service") != "EC2" or detail.get("eventTypeCategory") != "scheduledChange":
        return Unknown("a health event of something else")
    if detail.get("statusCode") == "closed":
        return Unknown("a health event that is over")
    code = _word(detail.get("eventTypeCode"), "event type code")
    entities = detail.get("affectedEntities")
    affected = [
        InstanceId(entity["entityValue"])
        for entity in (entities if isinstance(entities, list) else ())
        if isinstance(entity, dict) and _is_instance(entity.get("entityValue"))
    ]
    if not affected:
        return Unknown("a health event of no instance")
    told, start = _time(event.get("time"), "time"), _time(detail.get("startTime"), "start time")
    return tuple(
        Notice(instance, "maintenance", "queue", told, deadline=start, action=code)
        for instance in dict.fromkeys(affected)
    )


_PARSERS: Final[Mapping[tuple[str, str], Callable[[Event], Parsed]]] = {
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _interruption,
    ("aws.ec2", "EC2 Instance Rebalance Recommendation"): _rebalance,
    ("aws.ec2", "EC2 Instance State-change Notification"): _state,
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _lifecycle,
    ("aws.health", "AWS Health Event"): _health,
}


def _notice(
    event: Event, kind: NoticeKind, key: str, *, action: str = "", is_urgent: bool = False
) -> Notice:
    instance = event["detail"].get(key)
    if not _is_instance(instance):
        raise _MalformedError("it names no instance")
    told = _time(event.get("time"), "time")
    try:
        deadline = told + NOTICE if is_urgent else None
    except OverflowError:
        raise _MalformedError("its time is none") from None
    return Notice(InstanceId(instance), kind, "queue", told, deadline=deadline, action=action)


def _is_instance(value: object) -> bool:
    return isinstance(value, str) and _INSTANCE.fullmatch(value) is not None


def _word(value: object, name: str) -> str:
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise _MalformedError(f"it has no {name}")
    return value


def _time(value: object, name: str) -> datetime:
    """EventBridge writes ISO 8601, Health's details e-mail dates; both in UTC unless they say."""
    if not isinstance(value, str):
        raise _MalformedError(f"it has no {name}")
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value)
            aware = found if found.tzinfo else found.replace(tzinfo=UTC)
            return aware.astimezone(UTC)
        # The second is for years and zones at the ends of time.
        except (ValueError, OverflowError):
            continue
    raise _MalformedError(f"its {name} is none")
