"""The queue of notices, against moto's SQS."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leader.edges.aws.clients import Aws
from leader.edges.aws.queue import NoticeQueue
from leader.leaving.parsing import parse
from runtime import clock
from runtime.errors import UnavailableError

Eventually = Callable[..., Awaitable[Any]]


class Queue:
    """A real queue of the cloud's, and what is to be seen of it from outside."""

    def __init__(self, cloud: Any, aws: Aws, name: str) -> None:
        self.sqs = cloud.client("sqs")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.notices = NoticeQueue(aws, self.url)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def show_again(self, *receipts: str) -> None:
        """As after the time a message is hidden for."""
        for receipt in receipts:
            self.sqs.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0
            )

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(number) for number in found["Attributes"].values())


@pytest.fixture
def queue(cloud: Any, aws: Aws, request: pytest.FixtureRequest) -> Queue:
    return Queue(cloud, aws, request.node.name[:80])


async def test_a_message_is_hidden_while_it_is_worked_on_and_shown_again_if_not_deleted(
    queue: Queue,
) -> None:
    queue.send("one")
    ((body, receipt),) = await queue.notices.receive()
    assert body == "one"
    hidden = queue.sqs.receive_message(QueueUrl=queue.url, WaitTimeSeconds=0)
    assert not hidden.get("Messages")
    queue.show_again(receipt)
    ((again, fresh),) = await queue.notices.receive()
    assert (again, fresh == receipt) == ("one", False)
    await queue.notices.delete([fresh])
    assert queue.left() == 0


async def test_an_empty_queue_is_polled_for_five_seconds(queue: Queue) -> None:
    begun = clock.monotonic()
    assert await queue.notices.receive() == ()
    # Twenty seconds is the longest that SQS polls.
    assert 4 < clock.monotonic() - begun < 20


async def test_ten_come_at_a_time_and_more_than_ten_are_deleted(queue: Queue) -> None:
    queue.send(*(str(number) for number in range(23)))
    receipts: list[str] = []
    while len(receipts) < 23:
        found = await queue.notices.receive()
        assert 0 < len(found) <= 10
        receipts += [receipt for _, receipt in found]
    await queue.notices.delete(receipts)
    assert queue.left() == 0


async def test_deleting_what_is_gone_and_twice_the_same_is_done(queue: Queue) -> None:
    queue.send("one")
    ((_, receipt),) = await queue.notices.receive()
    await queue.notices.delete([receipt, receipt])
    await queue.notices.delete([receipt])
    await queue.notices.delete([])
    assert queue.left() == 0


async def test_eventbridge_s_warning_comes_out_as_a_notice(cloud: Any, queue: Queue) -> None:
    events = cloud.client("events")
    pattern = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    events.put_rule(Name="warnings", EventPattern=json.dumps(pattern))
    arn = queue.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule="warnings", Targets=[target])
    detail = {"instance-id": cloud.instances["worker"], "instance-action": "terminate"}
    entry = {"Source": "aws.ec2", "DetailType": pattern["detail-type"][0]}
    # AWS itself lets nobody say it is aws.ec2; moto does.
    events.put_events(Entries=[entry | {"Detail": json.dumps(detail)}])
    ((body, _),) = await queue.notices.receive()
    found = parse(body)
    assert isinstance(found, tuple)
    (notice,) = found
    assert (notice.instance, notice.kind) == (cloud.instances["worker"], "interruption")


async def test_a_queue_that_is_missing_is_away_and_does_not_end_the_leader(
    cloud: Any, aws: Aws, queue: Queue
) -> None:
    gone = NoticeQueue(aws, f"{queue.url}-gone")
    with pytest.raises(UnavailableError, match="could not receive notices"):
        await gone.receive()
    await gone.delete(["x"])


async def test_a_cloud_that_is_away_is_away(queue: Queue) -> None:
    async with Aws(region="eu-central-1", endpoint="http://127.0.0.1:1") as nowhere:
        away = NoticeQueue(nowhere, queue.url)
        with pytest.raises(UnavailableError):
            await away.receive()
        with pytest.raises(UnavailableError):
            await away.delete(["x"])


async def test_a_queue_closed_to_us_is_away_and_does_not_end_the_leader(
    cloud: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = cloud.credentials(cloud.instances["worker"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", nobody.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", nobody.secret_key.get_secret_value())
    monkeypatch.setenv("AWS_SESSION_TOKEN", nobody.session_token.get_secret_value())
    async with Aws(region="eu-central-1", endpoint=cloud.url) as worker:
        closed = NoticeQueue(worker, queue.url)
        with pytest.raises(UnavailableError, match="could not receive notices"):
            await closed.receive()
