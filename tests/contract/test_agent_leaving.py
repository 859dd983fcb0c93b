"""An agent that leaves and says farewell, with a real engine in a real swarm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from instances import INSTANCE, KEY, SPOT, Imds, answer, next_opened

from agent.actions import InspectEngine, Join, Leave, Pause, PowerOff, Rejoin
from agent.daemon import Daemon, Launch
from agent.edges.engine import Engine
from agent.edges.files import LocalFiles
from agent.events import EngineInspected, EngineUnavailable, OrderedToLeave, Paused
from agent.model import Ticket
from agent.notice_watch import NoticeWatch
from agent.notices import INTERRUPTION
from agent.perform import Performer
from leader.edges.broker.connection import Broker
from leader.edges.docker.swarm import SWARM_PORT, Swarm
from runtime import clock
from runtime.streams import cancel_all, together
from wire import keys
from wire.messages import Availability, Farewell, Notice, Role
from wire.sealing import private_text

Eventually = Callable[..., Awaitable[Any]]


@dataclass
class Agent:
    """The agent's performer for the second engine, a worker in the first one's swarm."""

    perform: Performer
    engine: Engine
    files: LocalFiles
    news: "asyncio.Queue[Any]"
    ended: list[str]


@pytest.fixture
async def agent(
    cluster: Any, imds: Imds, files: LocalFiles, swarm: Swarm, engines: Any
) -> AsyncIterator[Agent]:
    news: asyncio.Queue[Any] = asyncio.Queue()
    ended: list[str] = []
    async with Engine(engines[1].url) as engine:
        perform = Performer(
            cluster.told(),
            SPOT.model_copy(update={"address": engines[1].address}),
            engine=engine,
            metadata=imds.client,
            files=files,
            news=news,
            power_off=lambda: ended.append("off"),
        )
        ticket = Ticket(
            await swarm.token(Role.WORKER),
            (f"{engines[0].address}:{SWARM_PORT}",),
            Availability.ACTIVE,
            private_text(KEY),
        )
        joined = await perform(Join(ticket, "joining"))
        assert isinstance(joined, EngineInspected), joined
        assert joined.state == "active"
        yield Agent(perform, engine, files, news, ended)


async def test_joining_stores_the_key_of_its_request(agent: Agent) -> None:
    assert agent.files.join_key() == KEY


async def test_a_worker_that_is_ordered_to_leave_leaves_and_sends_a_farewell(
    agent: Agent, cluster: Any, broker: Broker
) -> None:
    node = (await agent.engine.membership()).node
    left = await agent.perform(Leave("told to", "leaving"))

    assert isinstance(left, EngineInspected)
    assert left.state == "inactive"
    assert agent.files.departure_reason() == "told to"
    opened = await next_opened(cluster, broker)
    assert opened.sender == KEY.public_key
    assert isinstance(opened.message, Farewell)
    assert (opened.message.instance, opened.message.node) == (INSTANCE, node)
    assert opened.message.reason == "told to"

    await agent.perform(Rejoin("withdrawn"))
    assert agent.files.departure_reason() == ""


async def test_leaving_does_not_need_the_leader(agent: Agent) -> None:
    left = await agent.perform(Leave("the leader is silent", "leaving"))

    assert isinstance(left, EngineInspected)
    assert left.state == "inactive"


async def test_a_worker_that_can_reach_nobody_leaves_and_powers_off(
    agent: Agent, engines: Any, eventually: Eventually
) -> None:
    seen = await agent.perform(InspectEngine("look"))
    assert isinstance(seen, EngineInspected)
    manager = engines[0]
    try:
        await asyncio.to_thread(manager.kill)
        seen = await agent.perform(InspectEngine("look"))
        assert isinstance(seen, EngineInspected)
        assert seen.missed_checks == 1

        ending = asyncio.create_task(agent.perform(PowerOff("nobody was heard")))

        async def has_ended() -> bool:
            return bool(agent.ended)

        await eventually(has_ended, within=30)
        assert (await agent.engine.membership()).state == "inactive"
        ending.cancel()
        await asyncio.wait({ending})
    finally:
        manager.start()
        await asyncio.to_thread(manager.wait)


async def test_a_manager_does_not_leave(
    cluster: Any, imds: Imds, files: LocalFiles, swarm: Swarm, engines: Any
) -> None:
    async with Engine(engines[0].url) as engine:
        perform = Performer(
            cluster.told(),
            SPOT,
            engine=engine,
            metadata=imds.client,
            files=files,
            news=asyncio.Queue(),
        )
        stayed = await perform(Leave("told to", "leaving"))
        seen = await perform(InspectEngine("look"))

    assert isinstance(stayed, EngineUnavailable)
    assert "demote it" in stayed.reason
    assert isinstance(seen, EngineInspected)
    assert (seen.state, seen.missed_checks) == ("active", 0)


async def test_news_cuts_a_pause_short(agent: Agent) -> None:
    order = OrderedToLeave(clock.now(), "empty")
    long = Pause(timedelta(minutes=9), timedelta(minutes=9), "waiting")
    waiting = asyncio.create_task(agent.perform(long))
    agent.news.put_nowait(order)
    async with asyncio.timeout(60):
        assert await waiting is order
    short = Pause(timedelta(milliseconds=1), timedelta(milliseconds=1), "waiting")
    assert isinstance(await agent.perform(short), Paused)


@asynccontextmanager
async def daemon(cluster: Any, imds: Imds, agent: Agent) -> AsyncIterator[None]:
    """The daemon after its preparation, on the second engine."""
    launch = Launch(SPOT, cluster.told())
    watch = NoticeWatch(
        launch.user_data, SPOT, metadata=imds.client, files=agent.files, news=agent.news
    )
    running = asyncio.create_task(
        together(
            be_a_member=Daemon(imds.client, agent.files)._be_a_member(launch, agent.perform),
            poll=watch.poll(),
            report=watch.report(),
        )
    )
    try:
        yield
    finally:
        assert not running.done(), running
        await cancel_all((running,))


def interruption(within: timedelta) -> str:
    at = (clock.now() + within).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f'{{"action": "terminate", "time": "{at}"}}'


async def test_an_interruption_ends_with_a_farewell_and_no_new_request(
    agent: Agent, cluster: Any, broker: Broker, imds: Imds
) -> None:
    imds.texts[INTERRUPTION] = interruption(timedelta(minutes=2))
    async with daemon(cluster, imds, agent):
        notice = await next_opened(cluster, broker)
        assert isinstance(notice.message, Notice)
        await answer(cluster, broker, notice, reason="no task runs on it")
        farewell = await next_opened(cluster, broker)
        assert await broker.next_request() is None

    assert isinstance(farewell.message, Farewell)
    assert farewell.message.reason == "no task runs on it"
    assert (await agent.engine.membership()).state == "inactive"


async def test_with_a_silent_leader_the_agent_leaves_before_aws_acts(
    agent: Agent, cluster: Any, imds: Imds, eventually: Eventually
) -> None:
    async def is_leaving() -> bool:
        return bool(agent.files.departure_reason())

    async def has_left() -> bool:
        return (await agent.engine.membership()).state == "inactive"

    at = clock.monotonic() + 14
    imds.texts[INTERRUPTION] = interruption(timedelta(seconds=14))
    async with daemon(cluster, imds, agent):
        # It writes down why before it leaves; how long leaving takes is the engine's affair.
        await eventually(is_leaving, within=13, patience=1)
        # The announced time has no fractions of a second.
        assert at - clock.monotonic() < 11.5, "it does not leave too early"
        await eventually(has_left)
    assert "the leader is silent" in agent.files.departure_reason()


def test_a_reply_outlives_the_wait_for_it() -> None:
    assert keys.REPLY_LIFETIME > keys.NOTICE_WAIT


def test_the_join_key_of_another_instance_is_removed_with_the_rest_of_its_state(
    tmp_path: Path, files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a systemctl that does nothing, because there is no engine to stop."""
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not files.claim("i-1")
    files.store_join_key(private_text(KEY))

    assert not files.claim("i-1")
    assert files.join_key() == KEY
    assert files.claim("i-2")
    assert files.join_key() is None
