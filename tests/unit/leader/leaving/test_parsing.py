"""What messages of the queue say, and that none of them can hurt."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader.leaving.parsing import Malformed, Unknown, parse
from leader.view.notices import Notice

I1 = "i-0123456789abcdef0"
I2 = "i-1234567890abcdef1"
TOLD = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WARNING = ("aws.ec2", "EC2 Spot Instance Interruption Warning")
HINT = ("aws.ec2", "EC2 Instance Rebalance Recommendation")
STATE = ("aws.ec2", "EC2 Instance State-change Notification")
HOOK = ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action")
HEALTH = ("aws.health", "AWS Health Event")
KINDS = (WARNING, HINT, STATE, HOOK, HEALTH)


def event(kind: tuple[str, str], **detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": kind[1],
        "source": kind[0],
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }


def maintenance(**changes: Any) -> dict[str, Any]:
    detail = {
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_INSTANCE_STOP_SCHEDULED",
        "eventTypeCategory": "scheduledChange",
        "startTime": "Thu, 05 Mar 2026 15:10:09 GMT",
        "affectedEntities": [{"entityValue": I1}, {"entityValue": I2}],
    }
    return event(HEALTH, **(detail | changes))


def parsed(value: object) -> Any:
    return parse(json.dumps(value))


def test_an_interruption_warning_is_acted_on_two_minutes_after_it_was_told() -> None:
    found = parsed(event(WARNING, **{"instance-id": I1, "instance-action": "stop"}))
    deadline = TOLD + timedelta(minutes=2)
    assert found == (Notice(I1, "interruption", "queue", TOLD, deadline=deadline, action="stop"),)


def test_a_rebalance_recommendation_has_no_deadline() -> None:
    found = parsed(event(HINT, **{"instance-id": I1}))
    assert found == (Notice(I1, "rebalance", "queue", TOLD),)


@pytest.mark.parametrize("state", ["pending", "running", "shutting-down", "terminated"])
def test_a_change_of_state_names_the_state(state: str) -> None:
    found = parsed(event(STATE, **{"instance-id": I1, "state": state}))
    assert found == (Notice(I1, "state", "queue", TOLD, action=state),)


def test_a_groups_hook_is_an_interruption() -> None:
    found = parsed(event(HOOK, EC2InstanceId=I1, LifecycleHookName="ours"))
    deadline = TOLD + timedelta(minutes=2)
    assert found == (
        Notice(I1, "interruption", "queue", TOLD, deadline=deadline, action="terminate"),
    )


@pytest.mark.parametrize(
    "start", ["Thu, 05 Mar 2026 15:10:09 GMT", "2026-03-05T15:10:09Z", "2026-03-05T16:10:09+01:00"]
)
def test_a_scheduled_change_is_a_notice_for_each_instance_it_affects(start: str) -> None:
    found = parsed(maintenance(startTime=start))
    deadline = datetime(2026, 3, 5, 15, 10, 9, tzinfo=UTC)
    code = "AWS_EC2_INSTANCE_STOP_SCHEDULED"
    assert found == tuple(
        Notice(one, "maintenance", "queue", TOLD, deadline=deadline, action=code)
        for one in (I1, I2)
    )


def test_what_is_affected_twice_or_is_no_instance_is_left_out() -> None:
    entities = [{"entityValue": I1}, {"entityValue": "vol-1"}, {"entityValue": I1}, "x", {}]
    assert [notice.instance for notice in parsed(maintenance(affectedEntities=entities))] == [I1]


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "RDS"},
        {"eventTypeCategory": "issue"},
        {"statusCode": "closed"},
        {"affectedEntities": [{"entityValue": "vol-1"}]},
        {"affectedEntities": None},
    ],
)
def test_another_health_event_calls_for_nothing(changes: dict[str, Any]) -> None:
    assert isinstance(parsed(maintenance(**changes)), Unknown)


@pytest.mark.parametrize(
    "value",
    [
        event(("aws.ec2", "EC2 Instance-launch Successful")),
        event(("aws.s3", "EC2 Spot Instance Interruption Warning")),
        {},
        {"source": ["aws.ec2"], "detail-type": {"a": 1}},
    ],
)
def test_another_event_is_unknown(value: object) -> None:
    assert isinstance(parsed(value), Unknown)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "null",
        "[" * 100_000,
        "9" * 10_000,
        json.dumps(event(WARNING) | {"detail": "text"}),
        json.dumps(event(WARNING)),
        json.dumps(event(WARNING, **{"instance-id": "i-x; rm", "instance-action": "stop"})),
        json.dumps(event(WARNING, **{"instance-id": I1})),
        json.dumps(event(WARNING, **{"instance-id": I1, "instance-action": "a b"})),
        json.dumps(event(HINT, **{"instance-id": I1}) | {"time": "soon"}),
        json.dumps(event(HINT, **{"instance-id": I1}) | {"time": 1772366400}),
        json.dumps(event(HOOK, EC2InstanceId=I1) | {"time": "9999-12-31T23:59:59Z"}),
        json.dumps(event(STATE, **{"instance-id": I1}) | {"time": "0001-01-01T00:00:00+12:00"}),
        json.dumps(maintenance(startTime=None)),
        json.dumps(maintenance(startTime="Thu, 99 Mar 2026 15:10:09 GMT")),
        json.dumps(maintenance(eventTypeCode=7)),
    ],
)
def test_a_message_without_what_its_kind_must_have_is_malformed(body: str) -> None:
    assert isinstance(parse(body), Malformed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(I1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = (
    *("instance-id", "instance-action", "state", "EC2InstanceId", "service", "statusCode"),
    *("eventTypeCategory", "eventTypeCode", "affectedEntities", "startTime", "entityValue"),
)
VALUES = JSON | st.sampled_from(["EC2", "scheduledChange", "stop", "2026-03-05T15:10:09Z"])
DETAILS = st.dictionaries(st.sampled_from(FIELDS), VALUES | st.datetimes().map(str)) | JSON


@given(st.text())
def test_no_text_raises(body: str) -> None:
    assert isinstance(parse(body), (Malformed, Unknown))


@given(st.sampled_from(KINDS), DETAILS, VALUES | st.datetimes().map(str))
def test_no_event_raises_and_nothing_of_it_is_quoted(
    kind: tuple[str, str], detail: Any, time: Any
) -> None:
    found = parsed({"source": kind[0], "detail-type": kind[1], "time": time, "detail": detail})
    match found:
        case Malformed(why=said) | Unknown(what=said):
            needed = ("action", "state", "event type code")
            known = {f"the event has no valid {name}" for name in needed}
            known |= {"the event has no time", "the event's time is not valid"}
            known |= {"the event has no start time", "the event's start time is not valid"}
            known |= {"the event does not name an instance", "the event has no detail"}
            known |= {"a health event about something else", "a health event that is over"}
            assert said in known | {"a health event about no instance"}
        case notices:
            assert notices
            assert all(notice.told.tzinfo is UTC for notice in notices)
