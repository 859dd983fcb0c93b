"""The spot market over real sockets: orders in, metadata and queue out, and EC2 as it is after."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import ClientError

from lab.aws.clients import MANAGER, WORKER, client
from lab.aws.cloud import Instance
from lab.aws.loopback import Loopback, loopback, seat
from lab.aws.metadata import TOKEN_HEADER, TTL_HEADER
from lab.host import LabError
from runtime import clock

Eventually = Callable[..., Awaitable[Any]]
kept_client = cache(client)
"""To make a client takes far longer than to use it: too long within an interruption's notice."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Loopback]:
    with loopback() as opened:
        yield opened


@pytest.fixture
def worker(cloud: Loopback) -> Instance:
    """A spot instance whose first news are heard already."""
    instance = cloud.launch(WORKER)
    heard: list[str] = []
    while "running" not in heard:
        heard += [event["detail"].get("state") for event in heard_of(cloud, instance)]
    return instance


@asynccontextmanager
async def metadata(cloud: Loopback, instance: Instance) -> AsyncIterator[Callable[[str], Any]]:
    """Reads paths below `meta-data/` as the instance's machine; None: not found."""
    connector = aiohttp.TCPConnector(local_addr=(seat(instance.address), 0))
    async with aiohttp.ClientSession(cloud.metadata, connector=connector) as session:
        async with session.put("/latest/api/token", headers={TTL_HEADER: "60"}) as answer:
            token = await answer.text()

        async def read(path: str) -> str | None:
            url = f"/latest/meta-data/{path}"
            async with session.get(url, headers={TOKEN_HEADER: token}) as answer:
                return await answer.text() if answer.status == 200 else None

        yield read


def account_client(cloud: Loopback, service: str) -> Any:
    account = cloud.account
    return kept_client(account.endpoint, service, account.key, account.secret)


def heard_of(cloud: Loopback, instance: Instance, *, wait: int = 1) -> list[dict[str, Any]]:
    """The queue's events about an instance; all that is read is deleted."""
    sqs = account_client(cloud, "sqs")
    queue = cloud.account.queue
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    events = []
    for message in found.get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if instance.id in message["Body"]:
            events.append(json.loads(message["Body"]))
    return events


def described(cloud: Loopback, instance: Instance) -> dict[str, Any]:
    found = account_client(cloud, "ec2").describe_instances(InstanceIds=[instance.id])
    shown: dict[str, Any] = found["Reservations"][0]["Instances"][0]
    return shown


async def gone(cloud: Loopback, instance: Instance) -> bool:
    return bool(described(cloud, instance)["State"]["Name"] == "terminated")


async def test_an_interrupted_instance_is_warned_twice_and_then_gone(
    cloud: Loopback, worker: Instance, eventually: Eventually
) -> None:
    async with metadata(cloud, worker) as read:
        assert await read("spot/instance-action") is None
        assert not await gone(cloud, worker)
        at = cloud.market.interrupt(worker.id, notice=10)
        told = json.loads(await read("spot/instance-action") or "")
        (warned,) = heard_of(cloud, worker)
        assert await read("spot/termination-time") == at

        assert told == {"action": "terminate", "time": at}
        assert warned["detail"] == {"instance-id": worker.id, "instance-action": "terminate"}
        assert not await gone(cloud, worker)
        await eventually(lambda: gone(cloud, worker))

    states: list[str] = []
    while "terminated" not in states:
        states += [event["detail"]["state"] for event in heard_of(cloud, worker)]
    assert states == ["shutting-down", "terminated"]


async def test_an_instance_nobody_was_told_of_is_taken_all_the_same(
    cloud: Loopback, worker: Instance, eventually: Eventually
) -> None:
    async with metadata(cloud, worker) as read:
        cloud.market.interrupt(worker.id, notice=10, by="neither")
        assert await read("spot/instance-action") is None
    assert heard_of(cloud, worker, wait=0) == []
    await eventually(lambda: gone(cloud, worker))


async def test_a_withdrawn_interruption_does_not_come(
    cloud: Loopback, worker: Instance, eventually: Eventually
) -> None:
    unlucky = cloud.launch(WORKER)
    cloud.market.interrupt(worker.id, notice=4)
    cloud.market.hint(worker.id)
    cloud.market.withdraw(worker.id)
    cloud.market.interrupt(unlucky.id, notice=4)

    await eventually(lambda: gone(cloud, unlucky))
    async with metadata(cloud, worker) as read:
        assert await read("spot/instance-action") is None
        assert await read("events/recommendations/rebalance") is None
    assert not await gone(cloud, worker)


async def test_maintenance_and_hints_reach_metadata_and_queue(
    cloud: Loopback, worker: Instance
) -> None:
    cloud.market.hint(worker.id)
    cloud.market.maintain(worker.id, within=600, code="instance-stop")

    async with metadata(cloud, worker) as read:
        assert "noticeTime" in (await read("events/recommendations/rebalance") or "")
        (planned,) = json.loads(await read("events/maintenance/scheduled") or "")
        assert planned["Code"] == "instance-stop"
    events = heard_of(cloud, worker)
    events += heard_of(cloud, worker)
    assert [event["source"] for event in events] == ["aws.ec2", "aws.health"]


def test_orders_that_make_no_sense_are_refused_with_the_reason(
    cloud: Loopback, worker: Instance
) -> None:
    manager = cloud.launch(MANAGER, spot=False)

    with pytest.raises(LabError, match="on-demand"):
        cloud.market.interrupt(manager.id)
    with pytest.raises(LabError, match="no instance i-0"):
        cloud.market.hint("i-0")
    with pytest.raises(LabError, match="explode"):
        cloud.market.interrupt(worker.id, action="explode")


def test_the_queue_keeps_a_message_for_five_minutes_and_hides_it_for_twenty_seconds(
    cloud: Loopback,
) -> None:
    said = cloud.account.client("sqs").get_queue_attributes(
        QueueUrl=cloud.account.queue, AttributeNames=["All"]
    )["Attributes"]

    assert said["MessageRetentionPeriod"] == "300"
    assert said["VisibilityTimeout"] == "20"


@asynccontextmanager
async def role_of(cloud: Loopback, instance: Instance) -> AsyncIterator[Callable[[str], Any]]:
    """Clients with the credentials an instance's machine gets."""
    async with metadata(cloud, instance) as read:
        path = f"iam/security-credentials/{instance.role}"
        held = json.loads(await read(path) or "")
    keys = (held["AccessKeyId"], held["SecretAccessKey"], held["Token"])
    yield lambda service: client(cloud.account.endpoint, service, *keys)


async def test_a_manager_may_hear_and_act_and_a_worker_may_not(
    cloud: Loopback, worker: Instance
) -> None:
    manager = cloud.launch(MANAGER, spot=False)
    queue = {"QueueUrl": cloud.account.queue}
    cloud.account.client("sqs").send_message(**queue, MessageBody="no JSON")

    async with role_of(cloud, manager) as service:
        sqs, ec2 = service("sqs"), service("ec2")
        found = sqs.receive_message(**queue, WaitTimeSeconds=1)["Messages"][0]
        handle = {**queue, "ReceiptHandle": found["ReceiptHandle"]}
        sqs.delete_message(**handle)
        with pytest.raises(ClientError, match="not authorized"):
            sqs.send_message(**queue, MessageBody="forged")
        # Whoever may tag instances may add one to the cluster.
        with pytest.raises(ClientError, match="not authorized"):
            ec2.create_tags(Resources=[worker.id], Tags=[{"Key": "a", "Value": "b"}])
        assert "Output" in ec2.get_console_output(InstanceId=worker.id)
        ec2.terminate_instances(InstanceIds=[worker.id])

    other = cloud.launch(WORKER)
    async with role_of(cloud, other) as service:
        with pytest.raises(ClientError, match="not authorized"):
            service("sqs").receive_message(**queue)
        with pytest.raises(ClientError, match="not authorized"):
            service("ec2").terminate_instances(InstanceIds=[manager.id])


async def test_the_launch_time_is_that_of_the_latest_start(
    cloud: Loopback, eventually: Eventually
) -> None:
    before = clock.now().replace(microsecond=0)
    instance = cloud.launch(MANAGER, spot=False)
    ec2 = cloud.account.client("ec2")
    launched = described(cloud, instance)["LaunchTime"]
    assert before <= launched <= clock.now()

    async def is_later_after_a_restart() -> bool:
        ec2.stop_instances(InstanceIds=[instance.id])
        ec2.start_instances(InstanceIds=[instance.id])
        return bool(described(cloud, instance)["LaunchTime"] > launched)

    await eventually(is_later_after_a_restart)
