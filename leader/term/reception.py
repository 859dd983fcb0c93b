"""Receives join requests, notices and departure reports that agents send through the broker.

Rule: check every message and put it into the inbox as an event, but make no decisions here. Accept
a notice or departure report about a node only if the sender has that node's join key. Whatever a
message raises ends only the handling of this message.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

import structlog
from nacl.public import PublicKey

from leader.edges.broker.connection import Broker
from leader.joining.intake import Intake, IntakePolicy
from leader.report.record import Record
from leader.term.inbox import Inbox
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.view.events import Event, JoinAsked, JoinUnproven, LeftSwarm, Noticed
from leader.view.ids import InstanceId
from leader.view.model import Ask, Asker, Denied, Identity, View
from leader.view.notices import NOTICE, Listener, Notice
from runtime import clock
from runtime.faults import Faults
from wire import messages
from wire.labels import LABEL_KEY
from wire.messages import Farewell, JoinRequest, MalformedMessage
from wire.sealing import Opened, public_text

log = structlog.get_logger("leader")

_PATH: Final = "agents' messages"
_CHECKS_AT_ONCE: Final = 16
_LISTENS_FOR: Final = timedelta(seconds=18)
"""An agent waits 20 s for the reply to its notice; this time is slightly shorter to be safe."""


class Prover(Protocol):
    """Verifies who sent a join request."""

    async def prove(self, request: JoinRequest, key: PublicKey) -> Identity | Denied:
        """Return the sender's identity, or a denial if the identity cannot be proven."""


class Reception:
    """Receives agents' messages while this daemon is the active leader."""

    def __init__(
        self,
        policy: IntakePolicy,
        *,
        prover: Prover,
        mailbox: Mailbox,
        inbox: Inbox,
        view: Callable[[], View],
        metrics: Metrics,
        record: Record,
        faults: Faults | None = None,
    ) -> None:
        self._prover = prover
        self._faults = faults or Faults()
        self._mailbox = mailbox
        self._inbox = inbox
        self._view = view
        self._metrics = metrics
        self._record = record
        self._intake = Intake(policy)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)
        self._last_drop_logged = 0.0
        self.last_popped = 0.0
        """The monotonic time of the broker's last response, in seconds."""

    async def take(self, broker: Broker, workers: asyncio.TaskGroup) -> None:
        """Receive messages from the broker until cancelled.

        Each join request is checked in a separate task in `workers`.
        """
        while True:
            data = await broker.next_request()
            self.last_popped = clock.monotonic()
            if data is None:
                continue
            with self._faults.contained(_PATH):
                await self._handle(data, workers)

    async def _handle(self, data: bytes, workers: asyncio.TaskGroup) -> None:
        started = clock.monotonic()
        try:
            opened = self._mailbox.open(data)
        except MalformedMessage as exc:
            self._drop(str(exc))
            return
        match opened.message:
            case JoinRequest() as message:
                await self._checks.acquire()
                workers.create_task(
                    self._check_contained(message, opened, started), name=f"check {message.nonce}"
                )
            case messages.Notice() as message if self._is_from(message.instance, opened):
                await self._inbox.put(self._noticed(message, opened))
            case Farewell() as message if self._is_from(message.instance, opened):
                await self._inbox.put(
                    LeftSwarm(
                        self._inbox.new_id("farewell"),
                        clock.steady(),
                        InstanceId(message.instance),
                        message.reason,
                    )
                )
            case message:
                self._drop(f"the {message.kind} is not for us or not from its instance")

    def _is_from(self, instance: str, opened: Opened) -> bool:
        """Return whether the message was encrypted with the instance's join key.

        This check prevents an instance from reporting on behalf of another instance.
        """
        text = public_text(opened.sender)
        nodes = self._view().bound(InstanceId(instance))
        return any(node.labels.get(LABEL_KEY) == text for node in nodes)

    def _noticed(self, message: messages.Notice, opened: Opened) -> Noticed:
        at = clock.steady()
        deadline, announced_at = message.effective, message.seen
        if message.notice == "rebalance":
            deadline, announced_at = None, message.effective or message.seen
        elif message.notice == "interruption" and deadline is None:
            deadline = announced_at + NOTICE
        listener = None
        if message.reply is not None:
            key = public_text(opened.sender)
            listener = Listener(message.reply, key, opened.by, at + _LISTENS_FOR)
        self._metrics.notices.labels("agent", message.notice).inc()
        notice = Notice(
            instance=InstanceId(message.instance),
            kind=message.notice,
            source="agent",
            announced_at=announced_at,
            deadline=deadline,
            action=message.action or message.event or "",
        )
        return Noticed(self._inbox.new_id("notice"), at, notice, listener=listener)

    async def _check_contained(self, request: JoinRequest, opened: Opened, started: float) -> None:
        with self._faults.contained(_PATH):
            await self._check(request, opened, started)

    async def _check(self, request: JoinRequest, opened: Opened, started: float) -> None:
        try:
            result: Identity | Denied | None = self._intake.screen(
                request, clock.now(), steady_at=clock.steady()
            )
            if result is None:
                result = await self._prover.prove(request, opened.sender)
        finally:
            self._checks.release()
        at, key = clock.steady(), public_text(opened.sender)
        event: Event
        if isinstance(result, Denied):
            asker = Asker(request.nonce, request.reply, key, request.role, opened.by)
            event = JoinUnproven(self._inbox.new_id("join"), at, asker, result)
        else:
            ask = Ask(request.nonce, request.reply, key, request.role, opened.by, result)
            event = JoinAsked(self._inbox.new_id("join"), at, ask)
        await self._inbox.put(event)
        self._metrics.check_seconds.observe(clock.monotonic() - started)

    def _drop(self, reason: str) -> None:
        """Drop an unacceptable message; log at most one dropped message per second."""
        self._metrics.joins.labels("dropped", "unopenable").inc()
        if clock.monotonic() - self._last_drop_logged > 1:
            self._last_drop_logged = clock.monotonic()
            self._record.unopened(clock.steady(), reason)
            log.warning("dropped a message", reason=reason)
