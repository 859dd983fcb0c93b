"""Builds the events that AWS sends to a cluster's queue, in EventBridge's format.

This module does no I/O.

Rule: each event has exactly the format in the AWS documentation, including any oddities. A test
that needs a malformed event edits the event's text. EventBridge gives each event a unique id, so a
test that needs a duplicate event sends the same text twice.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from lab.aws.cloud import Instance
from lab.places import ACCOUNT, REGION


class Action(StrEnum):
    """What an interruption does to a spot instance."""

    TERMINATE = "terminate"
    STOP = "stop"
    HIBERNATE = "hibernate"


class Code(StrEnum):
    """The codes that the metadata service uses for scheduled events."""

    RETIREMENT = "instance-retirement"
    STOP = "instance-stop"
    SYSTEM_REBOOT = "system-reboot"
    REBOOT = "instance-reboot"
    MAINTENANCE = "system-maintenance"


_HEALTH_CODES: Final[Mapping[Code, str]] = {
    Code.RETIREMENT: "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    Code.STOP: "AWS_EC2_INSTANCE_STOP_SCHEDULED",
    Code.SYSTEM_REBOOT: "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED",
    Code.REBOOT: "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    Code.MAINTENANCE: "AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED",
}


def interruption(instance: Instance, action: Action, at: datetime) -> str:
    """Return the warning that AWS is about to reclaim a spot instance."""
    # In this event only, AWS writes the zone in place of the region and the account:
    # docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
    arn = f"arn:aws:ec2:{instance.zone}:instance/{instance.id}"
    detail = {"instance-id": instance.id, "instance-action": str(action)}
    return _event("EC2 Spot Instance Interruption Warning", detail, at, [arn])


def rebalance(instance: Instance, at: datetime) -> str:
    """Return the rebalance recommendation for a spot instance that AWS may soon reclaim."""
    detail = {"instance-id": instance.id}
    return _event("EC2 Instance Rebalance Recommendation", detail, at, [_arn(instance)])


def state_change(instance: Instance, state: str, at: datetime) -> str:
    """Return the notification that an instance has entered a new state."""
    detail = {"instance-id": instance.id, "state": state}
    return _event("EC2 Instance State-change Notification", detail, at, [_arn(instance)])


def scheduled_change(
    instance: Instance,
    code: Code,
    at: datetime,
    *,
    event_id: str,
    starts: datetime,
    ends: datetime,
    status: str = "upcoming",
) -> str:
    """Return the AWS Health event about scheduled maintenance for an instance.

    The status `upcoming` announces the maintenance, and `closed` withdraws the announcement.

    Format: docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
    """
    kind = _HEALTH_CODES[code]
    detail = {
        "eventArn": f"arn:aws:health:{REGION}::event/EC2/{kind}/{event_id}",
        "service": "EC2",
        "eventTypeCode": kind,
        "eventTypeCategory": "scheduledChange",
        "eventScopeCode": "ACCOUNT_SPECIFIC",
        "communicationId": event_id,
        "startTime": _health_time(starts),
        "endTime": _health_time(ends),
        "lastUpdatedTime": _health_time(at),
        "statusCode": status,
        "eventRegion": REGION,
        "eventDescription": [{"language": "en_US", "latestDescription": description(code)}],
        "affectedEntities": [
            {"entityValue": instance.id, "lastUpdatedTime": _health_time(at), "status": "IMPAIRED"}
        ],
        "affectedAccount": ACCOUNT,
        "page": "1",
        "totalPages": "1",
    }
    return _event("AWS Health Event", detail, at, [instance.id], source="aws.health")


def description(code: Code) -> str:
    """Return the text that AWS uses to describe a scheduled event with the given code."""
    return {
        Code.RETIREMENT: "The instance is running on degraded hardware",
        Code.STOP: "The instance is scheduled for stop",
        Code.SYSTEM_REBOOT: "scheduled reboot",
        Code.REBOOT: "scheduled reboot",
        Code.MAINTENANCE: "scheduled power maintenance",
    }[code]


def stamp(at: datetime) -> str:
    """Format a time as EC2 and EventBridge do, for example `2026-01-31T12:00:00Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(
    kind: str,
    detail: Mapping[str, Any],
    at: datetime,
    resources: list[str],
    *,
    source: str = "aws.ec2",
) -> str:
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": stamp(at),
        "region": REGION,
        "resources": resources,
        "detail": detail,
    }
    return json.dumps(event)


def _arn(instance: Instance) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance.id}"


def _health_time(at: datetime) -> str:
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")
