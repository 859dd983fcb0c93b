"""Runs one term: turns events from the inbox into decisions, and carries out the resulting actions.

Rule: only `_decide_for_ever` changes the view. It waits only for the inbox, so slow calls to
AWS, Docker or Redis never delay a decision.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import structlog

from leader.decide import decide, first_view
from leader.edges.aws.queue import NoticeQueue
from leader.edges.broker.connection import Broker
from leader.edges.docker.swarm import Swarm
from leader.report.record import Record
from leader.settings import Settings
from leader.term.broker_service import BrokerService
from leader.term.guard import guard
from leader.term.inbox import Inbox
from leader.term.journal import Journal
from leader.term.listing import Deposed, Listing
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.term.perform import Performer
from leader.term.queue_reader import read_queue
from leader.term.reception import Prover, Reception
from leader.term.timeline import Timeline
from leader.view.actions import Action
from leader.view.events import Done, Event, Failed, NodesListed, Ticked
from runtime import clock
from runtime.errors import ClusterError, GoneError, RefusedError
from runtime.faults import Faults
from runtime.streams import resilient, together

log = structlog.get_logger("leader")

_TICK_SECONDS: Final = 1.0
_BROKER_SILENCE_SECONDS: Final = 10.0
"""The broker is considered unresponsive after this time; it usually responds every two seconds."""


class Active:
    """Runs one term; each term gets a new object, so no state carries over to the next term."""

    def __init__(
        self,
        settings: Settings,
        *,
        own_node: str,
        swarm: Swarm,
        prover: Prover,
        performer: Performer,
        mailbox: Mailbox,
        broker: BrokerService,
        queue: NoticeQueue | None,
        metrics: Metrics,
        faults: Faults | None = None,
    ) -> None:
        self._settings = settings
        self._faults = faults or Faults()
        self._performer = performer
        self._mailbox = mailbox
        self._broker = broker
        self._queue = queue
        self._metrics = metrics
        self._inbox = Inbox()
        self._journal = Journal(metrics)
        self._timeline = Timeline()
        self.view = first_view()
        self._listing = Listing(
            swarm,
            self._inbox,
            own_node=own_node,
            stale_after=settings.policy.nodes_stale_after,
            view=lambda: self.view,
            faults=self._faults,
        )
        self._reception = Reception(
            settings.intake,
            prover=prover,
            mailbox=mailbox,
            inbox=self._inbox,
            view=lambda: self.view,
            metrics=metrics,
            record=self._journal.record,
            faults=self._faults,
        )

    @property
    def record(self) -> Record:
        """This term's recent requests and decisions, for reports."""
        return self._journal.record

    @property
    def broker_starts(self) -> int:
        """The number of times that Redis has been started in this term."""
        return self._broker.starts

    @property
    def flood(self) -> dict[str, Any]:
        """Whether somebody floods the broker, and how many messages are dropped per second."""
        return {
            "flooded": self._reception.is_flooded,
            "dropped_per_second": round(self._reception.dropped_per_second, 1),
        }

    async def submit(self, event: Event) -> None:
        """Add an operator's command to the inbox as an event."""
        await self._inbox.put(event)

    def new_id(self, kind: str) -> str:
        """Return an id for a new event."""
        return self._inbox.new_id(kind)

    @property
    def is_healthy(self) -> bool:
        """Whether the broker responds and the list of nodes is recent."""
        listed_at = self.view.nodes_at
        is_recent = (
            listed_at is not None
            and clock.steady() - listed_at < self._settings.policy.nodes_stale_after
        )
        silence = clock.monotonic() - self._reception.last_popped
        return is_recent and self._mailbox.is_connected and silence < _BROKER_SILENCE_SECONDS

    async def run(self) -> None:
        """Lead until another manager takes over or an error ends the term.

        Raises:
            Deposed: if this manager is no longer the Raft leader.
            ClusterError: if an error occurs that the operator must fix.
        """
        try:
            await self._run()
        except BaseExceptionGroup as group:
            expected, bugs = group.split((Deposed, ClusterError))
            if bugs is not None or expected is None:
                raise
            raise next(_leaves(expected)) from None

    async def _run(self) -> None:
        faults = self._faults
        async with asyncio.TaskGroup() as workers:
            await together(
                decide=self._decide_for_ever(workers),
                follow_changes=resilient(
                    "node events", self._listing.follow_changes, faults=faults
                ),
                list_nodes=resilient(
                    "node list",
                    self._listing.list_nodes,
                    faults=faults,
                    # An engine that refuses to list the nodes may no longer be a manager.
                    ends=(Deposed, RefusedError, GoneError),
                ),
                list_work=resilient("work list", self._listing.list_work, faults=faults),
                read_queue=resilient("notices", self._read_queue, faults=faults),
                tick=self._tick(),
                run_the_broker=resilient(
                    "broker",
                    lambda: self._broker.run(self._mailbox, self._use_broker),
                    faults=faults,
                    # Without a broker, this manager cannot lead.
                    ends=(RefusedError, GoneError),
                ),
            )

    async def _use_broker(self, broker: Broker) -> None:
        await together(
            take=self._reception.take(broker),
            guard=resilient(
                "connections", lambda: guard(broker, self._metrics), faults=self._faults
            ),
        )

    async def _decide_for_ever(self, workers: asyncio.TaskGroup) -> None:
        while True:
            event = await self._inbox.next()
            with self._faults.contained("dates"):
                event = self._timeline.received(event, clock.step())
            with self._faults.contained("reports"):
                self._metrics.inbox.set(len(self._inbox))
                self._journal.received(event)
            with self._faults.contained("decisions"):
                self._decide(event, workers)

    def _decide(self, event: Event, workers: asyncio.TaskGroup) -> None:
        with self._metrics.decide_seconds.time():
            self.view, actions = decide(
                self.view, event, self._settings.policy, is_followed=len(self._inbox) > 0
            )
        if self.view.work is None:
            self._listing.request_work()
        for action in actions:
            # The task starts only after the action has been recorded below.
            name = f"carry out {type(action).__name__} on {action.subject}"
            workers.create_task(self._carry_out(action), name=name)
        with self._faults.contained("reports"):
            for action in actions:
                self._journal.decided(action, event.at)
            if isinstance(event, NodesListed):
                self._metrics.show(event.nodes, self.view)

    async def _carry_out(self, action: Action) -> None:
        sent = action
        with self._faults.contained("dates"):
            sent = self._timeline.sent(action, clock.step())
        for event in await self._performer.perform(sent, self.new_id("action")):
            # The view keeps the leader's own time.
            own = replace(event, action=action) if isinstance(event, Done | Failed) else event
            await self._inbox.put(own)

    async def _read_queue(self) -> None:
        if self._queue is None:
            await asyncio.Event().wait()
        else:
            await read_queue(self._queue, self._inbox, self._metrics, self._faults)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self._inbox.put(Ticked(self.new_id("tick"), clock.steady()))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner
