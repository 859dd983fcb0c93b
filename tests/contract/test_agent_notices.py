"""From AWS's notice to the agent's report of it, with a metadata service and a Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from instances import KEY, SPOT, TERMINATE, Imds, answer, next_opened
from nacl.public import PrivateKey
from ports import free_port
from waiting import PATIENCE

from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import NoticesChanged, OrderedToLeave
from agent.notice_watch import NoticeWatch
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE
from leader.edges.broker.connection import Broker
from runtime.streams import cancel_all, together
from wire.instance import InstanceFacts
from wire.messages import Notice
from wire.sealing import private_text

Eventually = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def watching(
    cluster: Any, imds: Imds, files: LocalFiles, facts: InstanceFacts = SPOT
) -> AsyncIterator["asyncio.Queue[Any]"]:
    """Run an agent's watch during the block; yields its news."""
    news: asyncio.Queue[Any] = asyncio.Queue()
    watch = NoticeWatch(cluster.told(), facts, metadata=imds.client, files=files, news=news)
    task = asyncio.create_task(together(poll=watch.poll(), report=watch.report()))
    try:
        yield news
    finally:
        assert not task.done(), task
        await cancel_all((task,))


async def soon(news: "asyncio.Queue[Any]", within: float = 10.0 * PATIENCE) -> Any:
    async with asyncio.timeout(within):
        return await news.get()


async def test_paths_that_do_not_exist_are_distinguished_from_paths_without_an_answer(
    imds: Imds,
) -> None:
    imds.texts[INTERRUPTION] = TERMINATE
    imds.broken.add(MAINTENANCE)

    found = await imds.client.notices((INTERRUPTION, REBALANCE, MAINTENANCE))

    assert found == {INTERRUPTION: TERMINATE, REBALANCE: None}
    assert imds.tokens == 1


async def test_a_metadata_service_that_is_down_yields_nothing() -> None:
    assert await Metadata("127.0.0.1", free_port()).notices((INTERRUPTION,)) == {}


async def test_a_notice_is_reported_until_our_leader_orders_to_leave(
    cluster: Any, broker: Broker, imds: Imds, files: LocalFiles
) -> None:
    """Orders from a stranger or for another instance change only the reply list's name."""
    files.store_join_key(private_text(KEY))
    imds.texts[INTERRUPTION] = TERMINATE
    async with watching(cluster, imds, files) as news:
        changed = await soon(news)
        assert isinstance(changed, NoticesChanged)
        told = [await next_opened(cluster, broker)]
        await answer(cluster, broker, told[-1], by=PrivateKey.generate())
        told.append(await next_opened(cluster, broker))
        await answer(cluster, broker, told[-1], instance="i-0000000000000000f")
        told.append(await next_opened(cluster, broker))
        await answer(cluster, broker, told[-1])

        assert (await soon(news)).reason == "empty"
        assert await broker.next_request() is None, "after an accepted order nothing is reported"
    assert {opened.sender for opened in told} == {KEY.public_key}
    first = told[0].message
    assert isinstance(first, Notice)
    assert (first.notice, first.action, first.effective) == (
        "interruption",
        "terminate",
        changed.notice.effective,
    )
    assert len({opened.message.reply for opened in told}) == len(told)
    assert {opened.message.model_copy(update={"reply": None}) for opened in told} == {
        first.model_copy(update={"reply": None})
    }


async def test_an_interruption_does_not_wait_behind_a_recommendation(
    cluster: Any, broker: Broker, imds: Imds, files: LocalFiles
) -> None:
    files.store_join_key(private_text(KEY))
    imds.texts[REBALANCE] = '{"noticeTime": "2026-11-23T20:00:00Z"}'
    async with watching(cluster, imds, files) as news:
        hint = await next_opened(cluster, broker)
        imds.texts[INTERRUPTION] = TERMINATE
        # Behind the recommendation it would wait for `NOTICE_WAIT`, which is 20 seconds.
        urgent = await next_opened(cluster, broker, within=15)
        await answer(cluster, broker, urgent)
        orders = [await soon(news) for _ in range(3)]

    assert (hint.message.notice, urgent.message.notice) == ("rebalance", "interruption")
    assert isinstance(orders[-1], OrderedToLeave)


async def test_a_leader_that_starts_late_still_gets_the_report(
    brokers: Any, cluster: Any, imds: Imds, files: LocalFiles
) -> None:
    files.store_join_key(private_text(KEY))
    imds.texts[INTERRUPTION] = TERMINATE
    async with watching(cluster, imds, files) as news:
        await soon(news)
        async with brokers.running() as broker:
            assert (await next_opened(cluster, broker)).message.notice == "interruption"


async def test_without_a_join_key_nothing_is_sent(
    cluster: Any, broker: Broker, imds: Imds, files: LocalFiles
) -> None:
    imds.texts[INTERRUPTION] = TERMINATE
    async with watching(cluster, imds, files) as news:
        await soon(news)
        assert await broker.next_request() is None


async def test_an_instance_that_left_reports_nothing(
    cluster: Any, broker: Broker, imds: Imds, files: LocalFiles
) -> None:
    files.store_join_key(private_text(KEY))
    files.record_departure("told to")
    imds.texts[INTERRUPTION] = TERMINATE
    async with watching(cluster, imds, files) as news:
        await soon(news)
        assert await broker.next_request() is None


async def test_an_on_demand_instance_is_watched_only_for_maintenance(
    cluster: Any, imds: Imds, files: LocalFiles
) -> None:
    imds.texts[MAINTENANCE] = (
        '[{"NotBefore": "21 Jan 2019 09:00:43 GMT", "Code": "instance-retirement",'
        ' "EventId": "instance-event-1", "State": "active"}]'
    )
    facts = SPOT.model_copy(update={"lifecycle": "on-demand"})
    async with watching(cluster, imds, files, facts) as news:
        notice = (await soon(news)).notice

    assert (notice.kind, notice.action, notice.event) == (
        "maintenance",
        "stop",
        "instance-event-1",
    )
    assert set(imds.asked) == {MAINTENANCE}


async def test_malformed_and_missing_answers_of_the_metadata_service_end_nothing(
    cluster: Any, imds: Imds, files: LocalFiles, eventually: Eventually
) -> None:
    imds.texts[INTERRUPTION] = "<html>"
    imds.broken.add(REBALANCE)

    async def is_asked_twice() -> bool:
        return imds.asked.count(INTERRUPTION) >= 2

    async with watching(cluster, imds, files) as news:
        await eventually(is_asked_twice)
        assert news.empty()
        imds.texts[INTERRUPTION] = TERMINATE
        assert isinstance(await soon(news), NoticesChanged)
