"""The active leader's shell: events into one bounded inbox, decisions out, actions carried out.

Rule: `govern` alone changes the view. Everything else sends it events; no call to the
outside is awaited there, so a slow one never delays a decision.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final, Protocol

import structlog
from nacl.public import PublicKey

from leader.actions import Action, DenyJoin, GrantJoin, ListInstances
from leader.decide import decide, first_view
from leader.edges.broker import Broker
from leader.edges.redis_server import RedisServer
from leader.edges.swarm import Swarm
from leader.events import Done, Event, Failed, JoinAsked, JoinUnproven, NodesListed, Ticked
from leader.intake import Intake
from leader.metrics import Metrics
from leader.model import Ask, Asker, Denied, Identity, Node
from leader.perform import Performer
from leader.record import Record
from leader.settings import Settings
from runtime import clock
from runtime.errors import ClusterError, UnavailableError
from runtime.streams import resilient, together
from wire import keys
from wire.messages import Heartbeat, JoinRequest, MalformedMessage
from wire.sealing import Opened, open_request, public_text

log = structlog.get_logger("leader")

_INBOX_EVENTS: Final = 1000
_CHECKED_AT_ONCE: Final = 16
_TICK_SECONDS: Final = 1.0
_TAKEN_WITHIN_SECONDS: Final = 10.0
"""The broker answers an empty pop every two seconds; without that it hangs."""
_RELIST_SECONDS: Final = 10.0


class Deposed(Exception):  # noqa: N818  not an error: Raft chose another leader
    """This engine is no longer the Raft leader."""


class Prover(Protocol):
    """Checks who asks."""

    async def prove(self, request: JoinRequest, key: PublicKey) -> Identity | Denied:
        """The proven identity, or why it is not."""


ServerFactory = Callable[[], RedisServer]
BrokerFactory = Callable[[AsyncExitStack], Coroutine[object, object, Broker]]


class Active:
    """One term of leading; made anew for each term, so nothing of an old one lingers."""

    def __init__(
        self,
        settings: Settings,
        *,
        own_node: str,
        swarm: Swarm,
        prover: Prover,
        performer: Performer,
        metrics: Metrics,
        serve: ServerFactory,
        connect: BrokerFactory,
    ) -> None:
        self._settings = settings
        self._own_node = own_node
        self._swarm = swarm
        self._prover = prover
        self._performer = performer
        self._metrics = metrics
        self._serve = serve
        self._connect = connect
        self._intake = Intake(settings.intake)
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(_INBOX_EVENTS)
        self._dirty = asyncio.Event()
        self._checks = asyncio.Semaphore(_CHECKED_AT_ONCE)
        self._numbers = itertools.count(1)
        self._last_unopened = 0.0
        self.view = first_view()
        self.record = Record()
        self.broker_starts = 0
        self._seen_at = clock.now()
        self._taken_at = 0.0

    @property
    def is_healthy(self) -> bool:
        """Whether requests are taken and the swarm is being seen."""
        seen = self.view.nodes_at
        fresh = seen is not None and clock.now() - seen < self._settings.policy.nodes_stale_after
        takes = clock.monotonic() - self._taken_at < _TAKEN_WITHIN_SECONDS
        return fresh and takes and self._performer.broker is not None

    async def run(self) -> None:
        """Lead until deposed.

        Raises:
            Deposed: Raft chose another leader.
            ClusterError: something a person must mend; the term ends.
        """
        try:
            await self._run()
        except BaseExceptionGroup as group:
            expected, bugs = group.split((Deposed, ClusterError))
            if bugs is not None or expected is None:
                raise
            raise next(_leaves(expected)) from None

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as workers:
            await together(
                govern=self._govern(workers),
                follow_node_events=resilient("node events", self._follow),
                list_nodes=resilient("node list", self._list),
                tick=self._tick(),
                keep_the_broker=resilient("broker", lambda: self._keep_broker(workers)),
            )

    async def _govern(self, workers: asyncio.TaskGroup) -> None:
        while True:
            event = await self._inbox.get()
            self._metrics.inbox.set(self._inbox.qsize())
            self._note(event)
            with self._metrics.decide_seconds.time():
                self.view, actions = decide(self.view, event, self._settings.policy)
            for action in actions:
                self._announce(action, event.at)
                name = f"carry out {type(action).__name__} on {action.subject}"
                workers.create_task(self._carry_out(action), name=name)

    async def _carry_out(self, action: Action) -> None:
        for event in await self._performer.perform(action, self._id("action")):
            await self._inbox.put(event)

    def _announce(self, action: Action, at: datetime) -> None:
        if isinstance(action, ListInstances):
            # Routine, and about no node: it would push what an operator asks for out.
            return
        self.record.decided(action, at)
        match action:
            case GrantJoin():
                self._metrics.joins.labels("granted", "").inc()
            case DenyJoin(denied=denied):
                self._metrics.joins.labels("denied", denied.code.value).inc()
        log.info(
            "decided",
            action=type(action).__name__,
            subject=action.subject,
            reason=action.reason,
            cause=action.cause,
        )

    def _note(self, event: Event) -> None:
        match event:
            case Done(action=action):
                self.record.ended(action, "done")
                self._metrics.actions.labels(type(action).__name__, "done").inc()
            case Failed(action=action, reason=reason):
                self.record.ended(action, f"failed: {reason}")
                self._metrics.actions.labels(type(action).__name__, "failed").inc()
                log.warning(
                    "action failed",
                    action=type(action).__name__,
                    subject=action.subject,
                    reason=reason,
                )

    async def _follow(self) -> None:
        async for _ in self._swarm.changes():
            self._dirty.set()

    async def _list(self) -> None:
        """List after every hint, and without one now and then: lists are truth."""
        while True:
            nodes = await self._see_nodes()
            await self._inbox.put(NodesListed(self._id("nodes"), clock.now(), nodes))
            self._count(nodes)
            if not any(node.is_leader and node.node == self._own_node for node in nodes):
                raise Deposed("Raft chose another leader")
            try:
                async with asyncio.timeout(_RELIST_SECONDS):
                    await self._dirty.wait()
            except TimeoutError:
                continue
            finally:
                self._dirty.clear()

    async def _see_nodes(self) -> tuple[Node, ...]:
        """The swarm's nodes; a leader blind for too long may have a successor already."""
        try:
            nodes = await self._swarm.nodes()
        except UnavailableError as exc:
            if clock.now() - self._seen_at > self._settings.policy.nodes_stale_after:
                raise Deposed(f"the swarm cannot be seen any more: {exc}") from exc
            raise
        self._seen_at = clock.now()
        return nodes

    def _count(self, nodes: tuple[Node, ...]) -> None:
        self._metrics.nodes.clear()
        for node in nodes:
            self._metrics.nodes.labels(node.role.value, node.status).inc()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self._inbox.put(Ticked(self._id("tick"), clock.now()))

    async def _keep_broker(self, workers: asyncio.TaskGroup) -> None:
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
            message = opened.message
            if not isinstance(message, JoinRequest):
                self._drop(f"nothing is done on a {message.kind}")
                continue
            await self._checks.acquire()
            workers.create_task(
                self._check(message, opened, started), name=f"check request {message.nonce}"
            )

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
        await self._inbox.put(event)
        self._metrics.check_seconds.observe(clock.monotonic() - started)

    def _drop(self, reason: str) -> None:
        """There is nobody to answer; a flood of these must not flood the journal."""
        self._metrics.joins.labels("dropped", "unopenable").inc()
        if clock.monotonic() - self._last_unopened > 1:
            self._last_unopened = clock.monotonic()
            self.record.unopened(clock.now(), reason)
            log.warning("request dropped", reason=reason)

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner
