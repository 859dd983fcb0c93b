"""The events in the queue are worded as AWS documents them."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from lab.aws import eventbridge
from lab.aws.cloud import Instance
from lab.aws.eventbridge import Action, Code

AT = datetime(2019, 1, 21, 9, 0, 43, tzinfo=UTC)


def test_an_interruption_names_instance_and_action_and_has_aws_own_odd_arn(spot: Instance) -> None:
    event = json.loads(eventbridge.interruption(spot, Action.STOP, AT))

    assert uuid.UUID(event.pop("id"))
    assert event == {
        "version": "0",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2019-01-21T09:00:43Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:ec2:eu-central-1b:instance/i-0123456789abcdef0"],
        "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "stop"},
    }


def test_a_recommendation_and_a_change_of_state_have_the_usual_arn(spot: Instance) -> None:
    hint = json.loads(eventbridge.rebalance(spot, AT))
    change = json.loads(eventbridge.state_change(spot, "shutting-down", AT))

    arn = "arn:aws:ec2:eu-central-1:123456789012:instance/i-0123456789abcdef0"
    assert hint["resources"] == change["resources"] == [arn]
    assert hint["detail-type"] == "EC2 Instance Rebalance Recommendation"
    assert hint["detail"] == {"instance-id": spot.id}
    assert change["detail-type"] == "EC2 Instance State-change Notification"
    assert change["detail"] == {"instance-id": spot.id, "state": "shutting-down"}


def test_maintenance_is_news_of_aws_health(spot: Instance) -> None:
    event = json.loads(
        eventbridge.scheduled_change(
            spot,
            Code.RETIREMENT,
            AT,
            event_id="instance-event-1",
            starts=AT + timedelta(minutes=10),
            ends=AT + timedelta(hours=2),
        )
    )

    assert (event["source"], event["detail-type"]) == ("aws.health", "AWS Health Event")
    assert event["resources"] == [spot.id]
    detail = event["detail"]
    assert detail["service"] == "EC2"
    assert detail["eventTypeCategory"] == "scheduledChange"
    assert detail["eventTypeCode"] == "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED"
    assert detail["startTime"] == "Mon, 21 Jan 2019 09:10:43 GMT"
    assert detail["statusCode"] == "upcoming"
    assert [one["entityValue"] for one in detail["affectedEntities"]] == [spot.id]


@pytest.mark.parametrize("code", list(Code))
def test_every_maintenance_code_has_its_event(spot: Instance, code: Code) -> None:
    text = eventbridge.scheduled_change(spot, code, AT, event_id="e", starts=AT, ends=AT)

    assert json.loads(text)["detail"]["eventTypeCode"].startswith("AWS_EC2_")


def test_every_event_has_an_id_of_its_own(spot: Instance) -> None:
    ids = {json.loads(eventbridge.rebalance(spot, AT))["id"] for _ in range(3)}

    assert len(ids) == 3
