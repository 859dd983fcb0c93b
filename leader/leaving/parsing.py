"""Parses EventBridge events from the queue into notices.

Rule: messages are untrusted input. `parse` never raises an exception, and the reasons that it
returns never quote a message. An event may come from EventBridge, from an Auto Scaling group's
lifecycle hook, or in the envelope of an SNS topic. The fields of the events are documented here:
https://docs.aws.amazon.com/ec2/latest/userguide/spot-instance-termination-notices.html
https://docs.aws.amazon.com/ec2/latest/userguide/rebalance-recommendations.html
https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/prepare-for-lifecycle-notifications.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
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
from wire.times import plausible


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that the leader does not handle; `what` is one of a few fixed descriptions."""

    what: str
    is_expected: bool = False
    """Whether the leader knows this kind of event, and knows that it needs no action."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is not an event, or an event that lacks a required field."""

    why: str


Parsed = tuple[Notice, ...] | Unknown | Malformed
Event = Mapping[str, Any]

_INSTANCE: Final = re.compile(r"i-[0-9a-f]{8,17}")
_WORD: Final = re.compile(r"[A-Za-z0-9_:.-]{1,100}")
_SECRET: Final = re.compile(
    r"""((?:token|secret|password|signature|credential)[\w-]{0,40}[\\"']*\s{0,9}[:=]\s{0,9}[\\"']*)"""
    r"""[^\\"'&}]+""",
    re.IGNORECASE,
)
"""A value whose name suggests a secret, also in JSON that is a string in JSON."""
_EXCERPT_CHARACTERS: Final = 200
_EXCERPT_READ: Final = 2000


class _MalformedError(Exception):
    """Raised within this module if a required field of an event is missing or invalid."""


def parse(body: str) -> Parsed:
    """Return the notices in a message, or the reason why it contains none."""
    try:
        event = json.loads(body)
        if not isinstance(event, dict):
            return Malformed("the message is not a JSON object")
        if event.get("Type") == "Notification" and isinstance(event.get("Message"), str):
            event = json.loads(event["Message"])
            if not isinstance(event, dict):
                return Malformed("the SNS message is not a JSON object")
        return _parsed(event)
    except _MalformedError as exc:
        return Malformed(str(exc))
    # A number with too many digits raises ValueError, and deep nesting raises RecursionError.
    except (ValueError, RecursionError):
        return Malformed("the message is not valid JSON")


def excerpt(body: str) -> str:
    """Return the first 200 characters of a message, without values that may be secrets."""
    hidden = _SECRET.sub(r"\1[hidden]", body[:_EXCERPT_READ].strip())
    return hidden[:_EXCERPT_CHARACTERS].encode(errors="replace").decode()


def _parsed(event: Event) -> Parsed:
    if "source" not in event and isinstance(event.get("LifecycleTransition"), str):
        return _hook(event)
    if "source" not in event and str(event.get("Event")).startswith("autoscaling:"):
        # A test message, or a report of something that has already happened.
        return Unknown("a notification of an Auto Scaling group", is_expected=True)
    kind = (str(event.get("source")), str(event.get("detail-type")))
    if kind in _EXPECTED:
        return Unknown("an event that needs no action", is_expected=True)
    parser = _PARSERS.get(kind)
    if parser is None:
        return Unknown("another event")
    if not isinstance(event.get("detail"), dict):
        return Malformed("the event has no detail")
    return parser(event)


def _hook(event: Event) -> Parsed:
    """Parse the message that a lifecycle hook sends itself, without EventBridge."""
    if event["LifecycleTransition"] != "autoscaling:EC2_INSTANCE_TERMINATING":
        return Unknown("a lifecycle hook for another transition", is_expected=True)
    return _lifecycle({"time": event.get("Time"), "detail": event})


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
    """Parse an Auto Scaling event, which does not contain the lifecycle hook's timeout."""
    return (_notice(event, "interruption", "EC2InstanceId", action="terminate", is_urgent=True),)


def _health(event: Event) -> Parsed:
    detail = event["detail"]
    if detail.get("service") != "EC2" or detail.get("eventTypeCategory") != "scheduledChange":
        return Unknown("a health event about something else", is_expected=True)
    if detail.get("statusCode") == "closed":
        return Unknown("a health event that is over", is_expected=True)
    code = _word(detail.get("eventTypeCode"), "event type code")
    entities = detail.get("affectedEntities")
    affected = [
        InstanceId(entity["entityValue"])
        for entity in (entities if isinstance(entities, list) else ())
        if isinstance(entity, dict) and _is_instance(entity.get("entityValue"))
    ]
    if not affected:
        return Unknown("a health event about no instance", is_expected=True)
    announced_at = _time(event.get("time"), "time")
    start = _time(detail.get("startTime"), "start time")
    return tuple(
        Notice(instance, "maintenance", "queue", announced_at, deadline=start, action=code)
        for instance in dict.fromkeys(affected)
    )


_PARSERS: Final[Mapping[tuple[str, str], Callable[[Event], Parsed]]] = {
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _interruption,
    ("aws.ec2", "EC2 Instance Rebalance Recommendation"): _rebalance,
    ("aws.ec2", "EC2 Instance State-change Notification"): _state,
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _lifecycle,
    ("aws.health", "AWS Health Event"): _health,
}


_EXPECTED: Final = frozenset(
    {
        ("aws.ec2", "EC2 Spot Instance Request Fulfillment"),
        ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action"),
        ("aws.autoscaling", "EC2 Instance Launch Successful"),
        ("aws.autoscaling", "EC2 Instance Launch Unsuccessful"),
        ("aws.autoscaling", "EC2 Instance Terminate Successful"),
        ("aws.autoscaling", "EC2 Instance Terminate Unsuccessful"),
    }
)
"""Events that need no action."""


def _notice(
    event: Event, kind: NoticeKind, key: str, *, action: str = "", is_urgent: bool = False
) -> Notice:
    instance = event["detail"].get(key)
    if not _is_instance(instance):
        raise _MalformedError("the event does not name an instance")
    announced_at = _time(event.get("time"), "time")
    deadline = announced_at + NOTICE if is_urgent else None
    return Notice(
        InstanceId(instance), kind, "queue", announced_at, deadline=deadline, action=action
    )


def _is_instance(value: object) -> bool:
    return isinstance(value, str) and _INSTANCE.fullmatch(value) is not None


def _word(value: object, name: str) -> str:
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise _MalformedError(f"the event has no valid {name}")
    return value


def _time(value: object, name: str) -> datetime:
    """Parse an ISO 8601 (EventBridge) or e-mail (Health) date; the default time zone is UTC."""
    if not isinstance(value, str):
        raise _MalformedError(f"the event has no {name}")
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return plausible(read(value)).astimezone(UTC)
        # Zones at the limits of datetime raise OverflowError.
        except (ValueError, OverflowError):
            continue
    raise _MalformedError(f"the event's {name} is not valid")
