"""Case 05: notices in an SNS envelope, and a group's hook that writes to the queue itself."""

import asyncio
import json
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from leader.leaving.parsing import Malformed, Unknown, excerpt, parse
from leader.term.inbox import Inbox
from leader.term.metrics import Metrics
from leader.term.queue_reader import read_queue
from runtime.errors import UnavailableError

WARNING = {
    "source": "aws.ec2",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "time": "2026-11-29T10:00:00Z",
    "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"},
}
HOOK = {
    "LifecycleHookName": "leave",
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    "AutoScalingGroupName": "workers",
    "Service": "AWS Auto Scaling",
    "Time": "2026-11-29T10:00:00.000Z",
    "EC2InstanceId": "i-0123456789abcdef0",
    "LifecycleActionToken": "87654321-example-token",
}
BRIDGED = {
    "source": "aws.autoscaling",
    "detail-type": "EC2 Instance-terminate Lifecycle Action",
    "time": "2026-11-29T10:00:00Z",
    "detail": HOOK,
}
TEST = {"Service": "AWS Auto Scaling", "Event": "autoscaling:TEST_NOTIFICATION"}


def enveloped(body):
    return {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(body)}


def parsed(body):
    return parse(json.dumps(body))


def logged(*bodies):
    """The log and the deleted receipts after these messages."""

    class Queue:
        def __init__(self):
            self.batches = [tuple((body, f"r-{number}") for number, body in enumerate(bodies))]
            self.deleted = []

        async def receive(self):
            if not self.batches:
                raise UnavailableError("empty")
            return self.batches.pop()

        async def delete(self, receipts):
            self.deleted += receipts

    queue = Queue()
    with capture_logs() as logs, suppress(UnavailableError):
        asyncio.run(read_queue(queue, Inbox(), Metrics()))
    return logs, queue.deleted


@pytest.mark.parametrize("body", [WARNING, BRIDGED, HOOK])
def test_an_envelope_changes_nothing(body):
    assert isinstance(parsed(body), tuple)
    assert parsed(enveloped(body)) == parsed(body)


def test_a_hooks_own_message_is_the_same_notice_as_its_event():
    assert parsed(HOOK) == parsed(BRIDGED)


@pytest.mark.parametrize(
    "body",
    [TEST, enveloped(TEST), HOOK | {"LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}],
)
def test_a_test_or_a_launch_is_no_warning(body):
    assert parsed(body).is_expected
    (line,), deleted = logged(json.dumps(body))

    assert line["log_level"] == "info"
    assert deleted == ["r-0"]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Type": "SubscriptionConfirmation", "Token": "example-token", "x": "y" * 500}),
        json.dumps({"source": "aws.s3", "detail": {"LifecycleActionToken": "example-token"}}),
        json.dumps(enveloped({"Event": 7, "secret": "example-token"})),
        json.dumps(HOOK | {"EC2InstanceId": "no instance"}),
        'not JSON, but "password": "example-token"',
        "https://sns.example/?Action=ConfirmSubscription&Token=example-token&x=1",
    ],
)
def test_what_is_not_understood_is_a_warning_with_its_beginning_and_no_secret(body):
    assert isinstance(parse(body), Malformed | Unknown)
    (line,), deleted = logged(body)

    assert line["log_level"] == "warning"
    assert 0 < len(line["begins"]) <= 200
    assert line["begins"][:5] == body[:5]
    assert "example-token" not in str(line)
    assert deleted == ["r-0"]


def test_an_envelope_is_opened_once():
    assert isinstance(parsed(enveloped(enveloped(WARNING))), Unknown)
    assert isinstance(parse(json.dumps({"Type": "Notification", "Message": "[]"})), Malformed)


def test_the_beginning_of_a_long_message_is_read_in_little_time():
    assert len(excerpt("token" * 100_000)) == 200
