"""Runs the leader and the `spotswarm` command between a stand-in engine and a stand-in AWS.

Of this folder only this module and `unchanged_names` use our own names. When you rename or move
something in `leader` or `cli`, fix the imports and calls here and leave the recorded files alone.
Arguments are positional, so that a renamed field needs no change.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nacl.public import PrivateKey
from typer.testing import CliRunner
from unchanged_cloud import Cloud
from unchanged_engine import Engine

from cli.__main__ import app
from leader import settings
from leader.daemon import Daemon
from leader.decide import decide, first_view
from leader.edges.admin import Admin
from leader.edges.aws.fleet import NoFleet
from leader.edges.aws.instances import Instances
from leader.edges.aws.queue import NoticeQueue
from leader.edges.docker.swarm import Swarm
from leader.leaving import parsing
from leader.report.record import Record
from leader.term.mailbox import Mailbox
from leader.term.perform import Performer
from leader.view.actions import Action, DeleteNotices, ListInstances, ProbeNode
from leader.view.events import (
    Done,
    DrainAsked,
    Failed,
    JoinAsked,
    JoinUnproven,
    LeftSwarm,
    NodesListed,
    Noticed,
    Ticked,
    WorkListed,
)
from leader.view.model import Ask, Asker, Denied, Identity, Instance
from leader.view.notices import Listener
from leader.view.stance import Stance
from wire.messages import DenialCode, Role, dump
from wire.sealing import open_reply, public_text

LEADER_KEY = PrivateKey(bytes(range(32)))
AGENT_KEY = PrivateKey(bytes(range(1, 33)))
BEGUN = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
_TOML = """#spotswarm
cluster = "demo"
broker = "rediss://10.0.0.1:6380"
password = "example-password"
leader_keys = ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
ca = "example-ca"
role = "manager"

[leader]
secrets = "file:/etc/spotswarm/secrets"
metrics_port = 9999
"""
_FACTS = {
    "instance": "i-00000000000000001",
    "region": "eu-central-1",
    "zone": "eu-central-1b",
    "type": "t3.small",
    "lifecycle": "on-demand",
    "address": "10.0.0.1",
}
_MOST_STEPS = 200


class Leader:
    """One leader with a clock of its own: it handles each event until nothing is left to do."""

    def __init__(self, engine: Engine, cloud: Cloud, swarm: Swarm, directory: Path) -> None:
        (directory / "leader.toml").write_text(_TOML)
        (directory / "instance.json").write_text(json.dumps(_FACTS))
        self.settings = settings.load(run=directory, etc=directory)
        self.engine, self.cloud, self.swarm = engine, cloud, swarm
        self.at = BEGUN
        self.view = first_view()
        self.record = Record()
        self.answers: list[dict[str, Any]] = []
        self.decided: list[list[str]] = []
        self.is_healthy = True
        self.is_restless = False
        """Whether it was still acting after the most steps we allow."""
        self.broker_starts = 1
        self.flood = {"flooded": False, "dropped_per_second": 0.0}
        self._looking: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        mailbox = Mailbox((LEADER_KEY,))
        mailbox.connect(SimpleNamespace(answer=self._answer))  # type: ignore[arg-type]
        self._performer = Performer(
            cluster="demo",
            mailbox=mailbox,
            swarm=swarm,
            instances=Instances(cloud, cluster="demo"),  # type: ignore[arg-type]
            fleet=NoFleet(),
            queue=NoticeQueue(cloud, "https://sqs.example/queue"),  # type: ignore[arg-type]
        )

    def new_id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def seconds(self) -> float:
        return self.at.timestamp()

    async def _answer(self, reply: str, sealed: bytes) -> None:
        message = open_reply(sealed, asker=AGENT_KEY, leaders=[LEADER_KEY.public_key])
        self.answers.append({"reply": reply, "message": json.loads(dump(message))})

    # Events.

    async def after(self, seconds: float) -> None:
        """Advance the clock, then list everything again."""
        self.at += timedelta(seconds=seconds)
        await self.hear(Ticked(self.new_id("tick"), self.at))
        await self.look()

    async def look(self) -> None:
        for event in await self._lists():
            await self.hear(event)

    async def asks_to_join(self, name: str, number: int, nonce: str) -> None:
        """A worker requests a token, and its identity is proven."""
        instance = Instance(
            name,
            "running",
            "spot",
            "eu-central-1b",
            "t3.small",
            f"10.0.0.{number}",
            "demo",
            "worker",
        )
        key = public_text(AGENT_KEY.public_key)
        ask = Ask(nonce * 32, "b" * 32, key, Role.WORKER, 0, Identity("aws", instance))
        await self.hear(JoinAsked(self.new_id("join"), self.at, ask))

    async def is_not_proven(self, code: str, nonce: str) -> None:
        """A worker requests a token, and its identity cannot be proven."""
        key = public_text(AGENT_KEY.public_key)
        asker = Asker(nonce * 32, "c" * 32, key, Role.WORKER)
        denied = Denied(DenialCode(code), "a sentence", 60)
        await self.hear(JoinUnproven(self.new_id("join"), self.at, asker, denied))

    def is_unopenable(self) -> None:
        self.record.unopened(self.at, "a sentence")

    async def queue_says(self, body: dict[str, Any], receipt: str) -> None:
        """A message from EventBridge arrives on the queue."""
        notices = parsing.parse(json.dumps(body))
        assert isinstance(notices, tuple), notices
        for notice in notices:
            await self.hear(Noticed(self.new_id("notice"), self.at, notice, receipt))

    async def agent_waits(self, body: dict[str, Any], reply: str, seconds: float) -> None:
        """An agent forwards a notice and waits for permission to leave."""
        notices = parsing.parse(json.dumps(body))
        assert isinstance(notices, tuple), notices
        key = public_text(AGENT_KEY.public_key)
        listener = Listener(reply * 32, key, 0, self.at + timedelta(seconds=seconds))
        await self.hear(Noticed(self.new_id("notice"), self.at, notices[0], None, listener))

    async def agent_left(self, name: str) -> None:
        await self.hear(LeftSwarm(self.new_id("farewell"), self.at, name, "a sentence"))

    async def is_asked_to_drain(self, node: str, seconds: float) -> None:
        within = timedelta(seconds=seconds)
        await self.hear(DrainAsked(self.new_id("drain"), self.at, node, within))

    # Decisions and actions.

    async def submit(self, event: Any) -> None:
        """Take an operator's request; list everything again once it has been answered."""
        await self.hear(event)
        self._looking = asyncio.create_task(self.look(), name="look")

    async def rest(self) -> None:
        """Wait for that list."""
        if self._looking is not None:
            await self._looking

    async def hear(self, event: Any) -> None:
        events, is_listed = [event], True
        for _ in range(_MOST_STEPS):
            if not events and is_listed:
                return
            if not events:
                events, is_listed = await self._lists(), True
            for action in await self._step(events.pop(0)):
                events += await self._perform(action)
                is_listed = False
        self.is_restless = True

    async def _step(self, event: Any) -> tuple[Action, ...]:
        match event:
            case Done():
                self.record.ended(event.action, "done")
            case Failed():
                self.record.ended(event.action, f"failed: {event.reason}")
        self.view, actions = decide(self.view, event, self.settings.policy)
        for action in actions:
            self.decided.append([type(action).__name__, action.subject, action.cause])
            if not isinstance(action, ListInstances | DeleteNotices):
                self.record.decided(action, event.at)
        return actions

    async def _perform(self, action: Action) -> tuple[Any, ...]:
        if isinstance(action, ProbeNode):
            return (Done(self.new_id("action"), self.at, action),)
        return await self._performer.perform(action, self.new_id("action"))

    async def _lists(self) -> list[Any]:
        nodes, beat = await self.swarm.nodes(), await self.swarm.heartbeat()
        services, tasks = await self.swarm.work.services(), await self.swarm.work.tasks()
        return [
            NodesListed(self.new_id("nodes"), self.at, nodes, self.at, beat),
            WorkListed(self.new_id("work"), self.at, services, tasks, self.at),
        ]


class Operator:
    """Runs `spotswarm` on the leader's machine."""

    def __init__(self, daemon: Daemon, leader: Leader) -> None:
        self._daemon, self._leader = daemon, leader

    async def types(self, *words: str) -> dict[str, Any]:
        """Run one command; returns its exit code and the JSON it printed."""
        self._daemon._engine = await self._leader.swarm.engine()
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
        await self._leader.rest()
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        said = json.loads(done.stdout) if done.stdout else None
        if said is not None:
            assert done.stdout == json.dumps(said, indent=2) + "\n"
        return {"typed": " ".join(words), "code": done.exit_code, "printed": said}

    def stand_by(self) -> None:
        """Let another manager lead from now on."""
        self._daemon._active = None
        self._daemon._become(Stance.STAND_BY, "a sentence")


@asynccontextmanager
async def leading(
    engine: Engine, cloud: Cloud, directory: Path, monkeypatch: Any
) -> AsyncIterator[tuple[Leader, Operator]]:
    """A leading daemon with its admin socket, and an operator who uses it."""
    socket = directory / "admin.sock"
    async with engine.serving(directory / "docker.sock") as url, Swarm(url) as swarm:
        leader = Leader(engine, cloud, swarm, directory)
        monkeypatch.setattr("runtime.clock.now", lambda: leader.at)
        monkeypatch.setattr("runtime.clock.steady", lambda: leader.at)
        monkeypatch.setattr("runtime.clock.step", timedelta)
        # A plan waits three seconds for the next list: on a busy machine that may not be enough.
        monkeypatch.setattr("runtime.clock.monotonic", leader.seconds)
        monkeypatch.setattr("cli.edges.admin._SOCKET", socket)
        daemon = Daemon(leader.settings)
        daemon._become(Stance.LEAD, "a sentence")
        daemon._active = leader  # type: ignore[assignment]
        commands = daemon._steering()
        async with Admin(daemon, daemon._metrics, socket=socket, port=0, commands=commands):
            yield leader, Operator(daemon, leader)
