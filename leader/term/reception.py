"""Who comes in by the broker: requests for tokens, notices, farewells. Redis kept running for it.

Rule: what is taken off the list is opened, checked and handed on as an event; nothing is decided
here. A notice counts only if the key its node joined with has boxed it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final, Protocol

import structlog
from nacl.public import PublicKey

from leader.edges.broker.connection import Broker
from leader.edges.broker.redis_server import RedisServer
from leader.joining.intake import Intake
from leader.report.record import Record
from leader.settings import Settings
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.view.events import Event, JoinAsked, JoinUnproven, LeftSwarm, Noticed
from leader.view.ids import InstanceId
from leader.view.model import Ask, Asker, Denied, Identity, View
from leader.view.notices import NOTICE, Listener, Notice
from runtime import clock
from runtime.errors import UnavailableError
from runtime.streams import resilient, together
from wire import keys, messages
from wire.labels import LABEL_KEY
from wire.messages import Farewell, Heartbeat, JoinRequest, MalformedMessage
from wire.sealing import Opened, open_request, public_text

log = structlog.get_logger("leader")

_CHECKED_AT_ONCE: Final = 16
_TAKEN_WITHIN_SECONDS: Final = 10.0
"""The broker answers an empty pop every two seconds; without that it hangs."""
_LISTENS_FOR: Final = timedelta(seconds=18)
"""An agent waits 20 s for an answer to its notice; a little less is sure."""


class Prover(Protocol):
    """Checks who asks."""

    async def prove(self, request: JoinRequest, key: PublicKey) -> Identity | Denied:
        """The proven identity, or why it is not."""


ServerFactory = Callable[[], RedisServer]
BrokerFactory = Callable[[AsyncExitStack], Coroutine[object, object, Broker]]


class Reception:
    """One term's; `hand_on` puts an event into the inbox, `view` is what is known now."""

    def __init__(
        self,
        settings: Settings,
        *,
        prover: Prover,
        performer: Performer,
        metrics: Metrics,
        record: Record,
        serve: ServerFactory,
        connect: BrokerFactory,
        hand_on: Callable[[Event], Awaitable[None]],
        view: Callable[[], View],
        new_id: Callable[[str], str],
    ) -> None:
        self._settings = settings
        self._prover = prover
        self._performer = performer
        self._metrics = metrics
        self._record = record
        self._serve = serve
        self._connect = connect
        self._hand_on = hand_on
        self._view = view
        self._id = new_id
        self._intake = Intake(settings.intake)
        self._checks = asyncio.Semaphore(_CHECKED_AT_ONCE)
        self._last_unopened = 0.0
        self._taken_at = 0.0
        self.broker_starts = 0

    @property
    def is_open(self) -> bool:
        """Whether requests are taken."""
        takes = clock.monotonic() - self._taken_at < _TAKEN_WITHIN_SECONDS
        return takes and self._performer.broker is not None

    async def keep_open(self, workers: asyncio.TaskGroup) -> None:
        """Run Redis and take what comes, until it breaks."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._serve())
            broker = await self._first_of(server, stack)
            self.broker_starts += 1
            self._performer.broker = broker
            stack.callback(self._lose_broker)
            await together(
                take_requests=resilient("requests", lambda: self._take(broker, workers)),
                beat=resilient("heartbeat", lambda: self._beat(broker)),
                guard_redis=self._guard(server),
            )

    async def _first_of(self, server: RedisServer, stack: AsyncExitStack) -> Broker:
        """Connect, unless Redis ends first: then its own reason is the one to tell."""
        connecting = asyncio.create_task(self._connect(stack), name="connect to the broker")
        guard = asyncio.create_task(self._guard(server), name="guard the starting broker")
        try:
            await asyncio.wait({connecting, guard}, return_when=asyncio.FIRST_COMPLETED)
            if guard.done() and not connecting.done():
                guard.result()
            return await connecting
        finally:
            guard.cancel()
            connecting.cancel()
            await asyncio.gather(connecting, guard, return_exceptions=True)

    def _lose_broker(self) -> None:
        self._performer.broker = None

    async def _guard(self, server: RedisServer) -> None:
        raise UnavailableError(await server.ended())

    async def _beat(self, broker: Broker) -> None:
        while True:
            beat = Heartbeat(
                cluster=self._settings.cluster,
                leader=self._settings.facts.instance,
                at=clock.now(),
            )
            await broker.beat(beat)
            await asyncio.sleep(keys.HEARTBEAT_EVERY.total_seconds())

    async def _take(self, broker: Broker, workers: asyncio.TaskGroup) -> None:
        while True:
            data = await broker.next_request()
            self._taken_at = clock.monotonic()
            if data is None:
                continue
            started = clock.monotonic()
            try:
                opened = open_request(data, leaders=self._performer.leader_keys)
            except MalformedMessage as exc:
                self._drop(str(exc))
                continue
            match opened.message:
                case JoinRequest() as message:
                    await self._checks.acquire()
                    workers.create_task(
                        self._check(message, opened, started), name=f"check {message.nonce}"
                    )
                case messages.Notice() as message if self._is_from(message.instance, opened):
                    await self._hand_on(self._noticed(message, opened))
                case Farewell() as message if self._is_from(message.instance, opened):
                    left = InstanceId(message.instance)
                    at = clock.now()
                    await self._hand_on(LeftSwarm(self._id("farewell"), at, left, message.reason))
                case message:
                    self._drop(f"a {message.kind} that is not for us, or not by whom it says")

    def _is_from(self, instance: str, opened: Opened) -> bool:
        """Whether the key this instance joined with boxed it: nobody announces another's end."""
        text = public_text(opened.sender)
        nodes = self._view().bound(InstanceId(instance))
        return any(node.labels.get(LABEL_KEY) == text for node in nodes)

    def _noticed(self, message: messages.Notice, opened: Opened) -> Noticed:
        at = clock.now()
        deadline, told = message.effective, message.seen
        if message.notice == "rebalance":
            deadline, told = None, message.effective or message.seen
        elif message.notice == "interruption" and deadline is None:
            deadline = told + NOTICE
        listener = None
        if message.reply is not None:
            key = public_text(opened.sender)
            listener = Listener(message.reply, key, opened.by, at + _LISTENS_FOR)
        self._metrics.notices.labels("agent", message.notice).inc()
        notice = Notice(
            instance=InstanceId(message.instance),
            kind=message.notice,
            source="agent",
            told=told,
            deadline=deadline,
            action=message.action or message.event or "",
        )
        return Noticed(self._id("notice"), at, notice, listener=listener)

    async def _check(self, request: JoinRequest, opened: Opened, started: float) -> None:
        try:
            found: Identity | Denied | None = self._intake.screen(request, clock.now())
            if found is None:
                found = await self._prover.prove(request, opened.sender)
        finally:
            self._checks.release()
        at, text = clock.now(), public_text(opened.sender)
        event: Event
        if isinstance(found, Denied):
            asker = Asker(request.nonce, request.reply, text, request.role, opened.by)
            event = JoinUnproven(self._id("join"), at, asker, found)
        else:
            ask = Ask(request.nonce, request.reply, text, request.role, opened.by, found)
            event = JoinAsked(self._id("join"), at, ask)
        await self._hand_on(event)
        self._metrics.check_seconds.observe(clock.monotonic() - started)

    def _drop(self, reason: str) -> None:
        """There is nobody to answer; a flood of these must not flood the journal."""
        self._metrics.joins.labels("dropped", "unopenable").inc()
        if clock.monotonic() - self._last_unopened > 1:
            self._last_unopened = clock.monotonic()
            self._record.unopened(clock.now(), reason)
            log.warning("request dropped", reason=reason)
