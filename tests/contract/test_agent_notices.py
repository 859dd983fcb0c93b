"""From AWS's notice to the agent's farewell, with a metadata service, a Redis and an engine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from nacl.public import PrivateKey

from agent.actions import InspectEngine, Join, Leave, Pause, PowerOff, Rejoin
from agent.daemon import Daemon, Launch
from agent.edges import broker as agent_broker
from agent.edges.contact import Contact
from agent.edges.engine import Engine
from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import EngineInspected, EngineUnavailable, NoticesChanged, OrderedToLeave, Paused
from agent.model import Ticket
from agent.notice_watch import NoticeWatch
from agent.notices import INTERRUPTION, MAINTENANCE, REBALANCE
from agent.perform import Performer
from leader.edges.broker.connection import Broker
from leader.edges.docker.swarm import SWARM_PORT, Swarm
from runtime import clock
from runtime.errors import UnavailableError
from runtime.streams import together
from wire import keys
from wire.instance import InstanceFacts
from wire.messages import Availability, Farewell, Heartbeat, Notice, Role
from wire.messages import Leave as Order
from wire.sealing import Opened, open_request, private_key, private_text, seal_reply

Eventually = Callable[..., Awaitable[Any]]

INSTANCE = "i-0123456789abcdef0"
KEY = PrivateKey.generate()
SPOT = InstanceFacts(
    instance=INSTANCE,
    region="eu-central-1",
    zone="eu-central-1a",
    type="t3.small",
    lifecycle="spot",
    address="10.0.0.1",
)
TERMINATE = '{"action": "terminate", "time": "2026-11-23T20:02:00Z"}'
PREFIX = "/latest/meta-data/"


@dataclass
class Imds:
    """A metadata service as strict as EC2's: no token, no answer."""

    port: int
    texts: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    tokens: int = 0

    async def token(self, request: web.Request) -> web.Response:
        assert request.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.tokens += 1
        return web.Response(text=f"token-{self.tokens}")

    async def get(self, request: web.Request) -> web.Response:
        if request.headers.get("X-aws-ec2-metadata-token") != f"token-{self.tokens}":
            raise web.HTTPUnauthorized
        leaf = request.path.removeprefix(PREFIX)
        self.asked.append(leaf)
        if leaf in self.broken:
            raise web.HTTPInternalServerError
        if leaf not in self.texts:
            raise web.HTTPNotFound
        return web.Response(text=self.texts[leaf])

    @property
    def client(self) -> Metadata:
        return Metadata("127.0.0.1", self.port)


@pytest.fixture
async def imds() -> AsyncIterator[Imds]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        found = Imds(sock.getsockname()[1])
        app = web.Application()
        app.router.add_put("/latest/api/token", found.token)
        app.router.add_get("/{path:.*}", found.get)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, sock).start()
        yield found
        await runner.cleanup()


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path)


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
        task.cancel()
        await asyncio.wait({task})


async def soon(news: "asyncio.Queue[Any]", within: float = 10.0) -> Any:
    async with asyncio.timeout(within):
        return await news.get()


async def next_opened(cluster: Any, broker: Broker, within: float = 10.0) -> Opened:
    leader = private_key(cluster.secrets.leader_key.get_secret_value())
    async with asyncio.timeout(within):
        while True:
            data = await broker.next_request()
            if data is not None:
                return open_request(data, leaders=[leader])


async def answer(
    cluster: Any, broker: Broker, opened: Opened, *, by: PrivateKey | None = None, **changed: Any
) -> None:
    leader = by or private_key(cluster.secrets.leader_key.get_secret_value())
    fields = {"cluster": "contract", "instance": INSTANCE, "reason": "empty", "at": clock.now()}
    sealed = seal_reply(Order(**(fields | changed)), leader=leader, asker=opened.sender)
    await broker.answer(opened.message.reply, sealed)


async def test_paths_that_do_not_exist_are_distinguished_from_paths_without_an_answer(
    imds: Imds,
) -> None:
    imds.texts[INTERRUPTION] = TERMINATE
    imds.broken.add(MAINTENANCE)

    found = await imds.client.notices((INTERRUPTION, REBALANCE, MAINTENANCE))

    assert found == {INTERRUPTION: TERMINATE, REBALANCE: None}
    assert imds.tokens == 1


async def test_a_metadata_service_that_is_down_yields_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert await Metadata("127.0.0.1", port).notices((INTERRUPTION,)) == {}


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
        urgent = await next_opened(cluster, broker, within=6)
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


# Whether anybody is there.


async def nobody() -> bool:
    return False


async def unreachable() -> bool:
    raise UnavailableError("the broker does not answer")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


async def test_any_manager_that_accepts_a_connection_counts_as_contact(tmp_path: Path) -> None:
    contact = Contact(tmp_path / "contact", nobody)
    with socket.create_server(("127.0.0.1", 0)) as manager:
        there, away = (f"127.0.0.1:{port}" for port in (manager.getsockname()[1], closed_port()))
        looks = [await contact.check((there, away)) for _ in range(4)]

    assert {missed for _, missed in looks} == {0, 1}, "each is tried in turn"
    assert all(silent < timedelta(seconds=5) for silent, _ in looks)


async def test_silence_is_counted_across_restarts_of_the_agent(tmp_path: Path) -> None:
    managers = (f"127.0.0.1:{closed_port()}",)
    for turn in range(1, 4):
        silent, missed = await Contact(tmp_path / "contact", unreachable).check(managers)
        assert missed == turn
    assert silent > timedelta()


@pytest.mark.parametrize("text", ["", "{}", "null", '{"heard": 1e99, "missed": 5}', '{"heard":'])
async def test_a_spoilt_record_of_contact_starts_the_count_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "contact").write_text(text)
    silent, missed = await Contact(tmp_path / "contact", nobody).check(())

    assert missed == 1
    assert silent < timedelta(seconds=1)


async def test_if_no_manager_answers_the_leaders_heartbeat_counts_as_contact(
    cluster: Any, broker: Broker, tmp_path: Path
) -> None:
    def new() -> Contact:
        return Contact(tmp_path / "contact", lambda: agent_broker.is_leader_there(cluster.told()))

    assert (await new().check(()))[1] == 1
    beat = Heartbeat(cluster="contract", leader=INSTANCE, at=clock.now())
    await broker.beat(beat)
    contact = new()
    assert await contact.check(()) == (timedelta(), 0)
    assert (await contact.check(()))[1] == 1, "the broker is not asked at every check"


# Leaving, with a real engine in a real swarm.


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
    async with asyncio.timeout(5):
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
        running.cancel()
        await asyncio.wait({running})


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
    async def has_left() -> bool:
        return (await agent.engine.membership()).state == "inactive"

    at = clock.monotonic() + 14
    imds.texts[INTERRUPTION] = interruption(timedelta(seconds=14))
    async with daemon(cluster, imds, agent):
        await eventually(has_left, within=13)
    # The announced time has no fractions of a second.
    assert at - clock.monotonic() < 11.5, "it does not leave too early"
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
