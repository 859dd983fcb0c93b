"""The active leader's shell: events into one bounded inbox, decisions out, actions carried out.

Rule: `govern` alone changes the view. Everything else sends it events; no call to the
outside is awaited there, so a slow one never delays a decision.
"""

import asyncio
import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import structlog

from leader.decide import decide, first_view
from leader.edges.docker.swarm import Swarm
from leader.report.record import Record
from leader.settings import Settings
from leader.term.hearing import hear
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.term.reception import BrokerFactory, Prover, Reception, ServerFactory
from leader.view.actions import (
    Action,
    DeleteNotices,
    DenyJoin,
    DrainNode,
    GrantJoin,
    ListInstances,
    OrderLeave,
    Refuse,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done, Event, Failed, NodesListed, Ticked, WorkListed
from leader.view.model import Node
from runtime import clock
from runtime.errors import ClusterError, UnavailableError
from runtime.streams import resilient, together
from wire.labels import LABEL_LOAN, LEAVING, RETURNING

log = structlog.get_logger("leader")

_INBOX_EVENTS: Final = 1000
_TICK_SECONDS: Final = 1.0
_RELIST_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 0.5
"""Between two lists of tasks while any move: what happens to tasks makes no events."""
_LISTING_SHARE: Final = 3
"""However long a listing takes, this many times as long is nothing listed."""


class Deposed(Exception):  # noqa: N818  not an error: Raft chose another leader
    """This engine is no longer the Raft leader."""


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
        self._performer = performer
        self._metrics = metrics
        self._inbox: asyncio.Queue[Event] = asyncio.Queue(_INBOX_EVENTS)
        self._dirty = asyncio.Event()
        self._stale = asyncio.Event()
        self._numbers = itertools.count(1)
        self.view = first_view()
        self.record = Record()
        self._seen_at = clock.now()
        self.reception = Reception(
            settings,
            prover=prover,
            performer=performer,
            metrics=metrics,
            record=self.record,
            serve=serve,
            connect=connect,
            hand_on=self._inbox.put,
            view=lambda: self.view,
            new_id=self.new_id,
        )

    async def submit(self, event: Event) -> None:
        """Hand an event in, from the operator say."""
        await self._inbox.put(event)

    @property
    def is_healthy(self) -> bool:
        """Whether requests are taken and the swarm is being seen."""
        seen = self.view.nodes_at
        fresh = seen is not None and clock.now() - seen < self._settings.policy.nodes_stale_after
        return fresh and self.reception.is_open

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
                list_work=resilient("work list", self._list_work),
                hear_the_queue=resilient("notices", self._hear),
                tick=self._tick(),
                keep_the_broker=resilient("broker", lambda: self.reception.keep_open(workers)),
            )

    async def _govern(self, workers: asyncio.TaskGroup) -> None:
        while True:
            event = await self._inbox.get()
            self._metrics.inbox.set(self._inbox.qsize())
            self._note(event)
            with self._metrics.decide_seconds.time():
                self.view, actions = decide(self.view, event, self._settings.policy)
            if self.view.work is None:
                self._stale.set()
            for action in actions:
                self._announce(action, event.at)
                name = f"carry out {type(action).__name__} on {action.subject}"
                workers.create_task(self._carry_out(action), name=name)

    async def _carry_out(self, action: Action) -> None:
        for event in await self._performer.perform(action, self.new_id("action")):
            await self._inbox.put(event)

    def _announce(self, action: Action, at: datetime) -> None:
        if isinstance(action, ListInstances | DeleteNotices):
            # Routine, and about no node: it would push what an operator asks for out.
            return
        self.record.decided(action, at)
        match action:
            case GrantJoin():
                self._metrics.joins.labels("granted", "").inc()
            case DenyJoin(denied=denied):
                self._metrics.joins.labels("denied", denied.code.value).inc()
        say = log.error if isinstance(action, Refuse) else log.info
        say(
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
                self._count_tasks(action)
            case Failed(action=action, reason=reason):
                self.record.ended(action, f"failed: {reason}")
                self._metrics.actions.labels(type(action).__name__, "failed").inc()
                log.warning(
                    "action failed",
                    action=type(action).__name__,
                    subject=action.subject,
                    reason=reason,
                )

    def _count_tasks(self, action: Action) -> None:
        """What a leaving cost: tasks not moved in time, tasks cut off."""
        match action:
            case DrainNode(left=left) if left:
                self._metrics.tasks_unmoved.inc(len(left))
                log.warning("tasks not moved", node=action.node, tasks=left)
            case (
                OrderLeave(cut_off=cut_off)
                | SettleNode(cut_off=cut_off)
                | TerminateInstance(cut_off=cut_off)
            ) if cut_off:
                self._metrics.tasks_cut_off.inc(len(cut_off))
                log.warning("tasks cut off", instance=action.instance, tasks=cut_off)

    async def _follow(self) -> None:
        async for _ in self._swarm.changes():
            self._dirty.set()
            self._stale.set()

    async def _list(self) -> None:
        """List after every hint, and without one now and then: lists are truth."""
        while True:
            asked = clock.now()
            nodes = await self._see_nodes()
            beat = await self._swarm.heartbeat()
            await self._inbox.put(
                NodesListed(self.new_id("nodes"), clock.now(), nodes, asked, beat)
            )
            self._count(nodes)
            if not any(node.is_leader and node.id == self._own_node for node in nodes):
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

    async def _list_work(self) -> None:
        """List services and tasks: seldom, but often while any are on the move."""
        while True:
            self._stale.clear()
            asked, began = clock.now(), clock.monotonic()
            services = await self._swarm.work.services()
            tasks = await self._swarm.work.tasks()
            await self._inbox.put(
                WorkListed(self.new_id("work"), clock.now(), services, tasks, asked)
            )
            rest = (clock.monotonic() - began) * _LISTING_SHARE
            await asyncio.sleep(rest)
            try:
                async with asyncio.timeout(
                    _WATCH_SECONDS if self._is_moving() else _RELIST_SECONDS
                ):
                    await self._stale.wait()
            except TimeoutError:
                continue

    def _is_moving(self) -> bool:
        view = self.view
        return (
            view.work is None
            or any(node.phase in {LEAVING, RETURNING} for node in view.nodes.values())
            or any(LABEL_LOAN in service.labels for service in view.work.services.values())
        )

    async def _hear(self) -> None:
        notices = self._performer.notices
        if notices is None:
            await asyncio.Event().wait()
            return
        await hear(notices, self._metrics, hand_on=self._inbox.put, new_id=self.new_id)

    def _count(self, nodes: tuple[Node, ...]) -> None:
        metrics = self._metrics
        metrics.nodes.clear()
        metrics.leaving.clear()
        for node in nodes:
            metrics.nodes.labels(node.role.value, node.status).inc()
            if node.phase:
                metrics.leaving.labels(node.phase).inc()
        metrics.penalties.clear()
        for kind, zone in self.view.market.penalties:
            metrics.penalties.labels(kind, zone).set(1)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self._inbox.put(Ticked(self.new_id("tick"), clock.now()))

    def new_id(self, kind: str) -> str:
        """A new event's id."""
        return f"{kind}-{next(self._numbers)}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner
