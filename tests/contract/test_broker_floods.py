"""Many messages at once, through a real Redis: in batches, apart, and during a flood."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from broker_clients import CLUSTER, background, echo, new_name, raw
from nacl.public import PrivateKey
from waiting import PATIENCE

from agent.edges import broker as agent_broker
from leader.edges.aws.identity import PasswordIdentity
from leader.edges.broker import redis_server
from leader.edges.broker.connection import Broker
from leader.joining.intake import IntakePolicy
from leader.report.record import Record
from leader.term.inbox import Inbox
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.reception import Reception
from leader.view.events import JoinAsked, Noticed
from leader.view.ids import NodeId
from leader.view.model import Node, View
from runtime import clock
from runtime.streams import cancel_all
from wire import keys
from wire.labels import LABEL_INSTANCE, LABEL_KEY
from wire.messages import Availability, JoinRequest, Notice, PasswordClaim, Role
from wire.sealing import private_key, public_text, seal_request
from wire.stamps import stamped_nonce

Eventually = Callable[..., Awaitable[Any]]


async def push_all(cluster: Any, key: str, *messages: bytes) -> None:
    async with raw(cluster) as client:
        pipeline = client.pipeline(transaction=False)
        for message in messages:
            pipeline.rpush(key, message)
        await pipeline.execute()


async def test_reports_and_requests_are_received_apart_and_many_at_a_time(
    cluster: Any, broker: Broker
) -> None:
    requests = [str(number).encode() for number in range(600)]
    await push_all(cluster, keys.requests(CLUSTER), *requests)
    await agent_broker.push(cluster.told(), b"farewell")
    received: list[bytes] = []
    trips = 0
    while len(received) < len(requests):
        mail = await broker.receive()
        assert list(mail.reports) == ([b"farewell"] if trips == 0 else [])
        assert mail.lost == 0
        received += mail.requests
        trips += 1
    assert received == requests
    assert trips <= 7


async def test_a_single_message_is_received_at_once_and_none_takes_two_seconds(
    cluster: Any, broker: Broker
) -> None:
    assert not any(await broker.receive())
    waiting = asyncio.create_task(broker.receive())
    await asyncio.sleep(0.1)
    await agent_broker.push(cluster.told(), b"farewell")
    assert list((await waiting).reports) == [b"farewell"]


async def test_what_a_full_list_lost_is_told(cluster: Any, broker: Broker) -> None:
    many = [b"x"] * (keys.REQUESTS_KEPT + 116)
    await push_all(cluster, keys.requests(CLUSTER), *many)
    mail = await broker.receive()
    assert len(mail.requests) + mail.lost == 116
    assert await broker.waiting() == keys.REQUESTS_KEPT


async def test_large_messages_are_received_few_at_a_time(cluster: Any, broker: Broker) -> None:
    await push_all(cluster, keys.requests(CLUSTER), *[b"x" * 200_000] * 60)
    sizes = []
    while sum(sizes) < 60:
        sizes.append(len((await broker.receive()).requests))
    assert max(sizes) <= 16


async def test_an_agent_waits_for_the_reply_to_its_report(cluster: Any, broker: Broker) -> None:
    name = new_name()
    async with background(echo(broker)):
        answer = await agent_broker.report(cluster.told(), name, name.encode() + b"notice", 10)
    assert answer == b"re: notice"


async def test_an_earlier_leaders_broker_gets_reports_with_the_requests(
    cluster: Any, brokers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ACL knows no list of reports."""
    written = redis_server.users_acl

    def earlier(name: str, secrets: Any) -> str:
        return written(name, secrets).replace(f" %W~{keys.reports(name)}", "")

    monkeypatch.setattr(redis_server, "users_acl", earlier)
    async with brokers.running() as broker:
        await agent_broker.push(cluster.told(), b"farewell")
        assert list((await broker.receive()).requests) == [b"farewell"]
        name = new_name()
        async with background(echo(broker)):
            answer = await agent_broker.report(cluster.told(), name, name.encode() + b"notice", 10)
        assert answer == b"re: notice"


async def test_replies_that_are_sent_together_all_arrive(cluster: Any, broker: Broker) -> None:
    names = [new_name() for _ in range(500)]
    await asyncio.gather(*(broker.answer(name, name.encode()) for name in names))
    async with raw(cluster) as client:
        for name in (names[0], names[250], names[-1]):
            popped = await client.blpop([keys.reply(CLUSTER, name)], timeout=2)
            assert popped is not None
            assert popped[1] == name.encode()


async def test_connections_are_seen_and_closed(
    cluster: Any, broker: Broker, eventually: Eventually
) -> None:
    async def ids(*, is_waiting: bool) -> list[int]:
        seen = await broker.visitors()
        return [each.id for each in seen if each.is_logged_in and each.is_waiting == is_waiting]

    async with raw(cluster) as idle, raw(cluster) as patient:
        await idle.rpush(keys.requests(CLUSTER), b"x")
        waiting = asyncio.create_task(patient.blpop([keys.reply(CLUSTER, new_name())], timeout=60))
        (patient_id,) = await eventually(lambda: ids(is_waiting=True))
        (idle_id,) = await ids(is_waiting=False)
        assert all(each.address == "127.0.0.1" for each in await broker.visitors())

        await broker.close([idle_id, 999_999_999])

        assert await ids(is_waiting=False) == []
        assert await ids(is_waiting=True) == [patient_id]
        assert not waiting.done()
        await cancel_all((waiting,))


async def test_in_a_flood_an_honest_join_and_notice_are_served(
    cluster: Any, broker: Broker
) -> None:
    """Two thousand messages a second by somebody who has the agents' password.

    `make bench-storm` sends five times as many; here other tests need the processors too.
    """
    leader = private_key(cluster.secrets.leader_key.get_secret_value())
    member, own = PrivateKey.generate(), PrivateKey.generate()
    labels = {LABEL_INSTANCE: "i-1", LABEL_KEY: public_text(member.public_key)}
    seen = View(nodes={NodeId("n-1"): node_of(labels)}, nodes_at=clock.now())
    inbox, metrics = Inbox(), Metrics()
    reception = Reception(
        IntakePolicy(cluster=CLUSTER, identity="password", regions=frozenset()),
        prover=PasswordIdentity(cluster=CLUSTER),
        mailbox=Mailbox([leader]),
        inbox=inbox,
        view=lambda: seen,
        metrics=metrics,
        record=Record(),
    )
    request = JoinRequest(
        cluster=CLUSTER,
        nonce=new_name(),
        reply=new_name(),
        role=Role.WORKER,
        issued=clock.now(),
        identity=PasswordClaim(name="machine", address="10.0.0.9"),
    )
    stamp = stamped_nonce(own.public_key, clock.now())
    join = seal_request(request, sender=own, leader=leader.public_key, nonce=stamp)
    notice = Notice(cluster=CLUSTER, instance="i-1", notice="interruption", seen=clock.now())
    report = seal_request(notice, sender=member, leader=leader.public_key)

    async with background(reception.take(broker)), background(flood(cluster, 2_000)):
        await asyncio.sleep(2)
        started = clock.monotonic()
        await push_all(cluster, keys.requests(CLUSTER), join)
        await agent_broker.push(cluster.told(), report)
        took = {}
        async with asyncio.timeout(10 * PATIENCE):
            while len(took) < 2:
                took[type(await inbox.next())] = clock.monotonic() - started
        assert reception.is_flooded
    assert took.keys() == {JoinAsked, Noticed}
    assert took[Noticed] < 2 * PATIENCE


async def flood(cluster: Any, rate: int) -> None:
    started, sent = clock.monotonic(), 0
    async with raw(cluster) as client:
        while True:
            behind = min(int((clock.monotonic() - started) * rate) - sent, 1000)
            pipeline = client.pipeline(transaction=False)
            for _ in range(behind):
                pipeline.rpush(keys.requests(CLUSTER), b"\x01" + secrets.token_bytes(800))
            await pipeline.execute()
            sent += behind
            await asyncio.sleep(0.02)


def node_of(labels: dict[str, str]) -> Node:
    return Node(
        id=NodeId("n-1"),
        hostname="ip-10-0-0-1",
        role=Role.WORKER,
        status="ready",
        availability=Availability.ACTIVE,
        address="10.0.0.1",
        created=clock.now(),
        labels=labels,
    )
