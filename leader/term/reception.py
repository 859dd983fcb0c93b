"""Receives join requests, notices and departure reports that agents send through the broker.

Rule: check every message and put it into the inbox as an event, but make no decisions here. Accept
a notice or departure report about a node only if the sender has that node's join key. Whatever a
message raises ends only the handling of this message.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

import structlog
from nacl.public import PublicKey

from leader.edges.broker.connection import Broker
from leader.joining.arrivals import Arrivals, Drop, Lane, Pace
from leader.joining.flood import FloodMeter
from leader.joining.intake import Intake, IntakePolicy
from leader.report.record import Record
from leader.term.inbox import Inbox
from leader.term.mailbox import Mailbox
from leader.term.metrics import Metrics
from leader.view.events import Event, JoinAsked, JoinUnproven, LeftSwarm, Noticed
from leader.view.ids import InstanceId, NodeId
from leader.view.model import Ask, Asker, Denied, Identity, Node, View
from leader.view.notices import NOTICE, Listener, Notice
from runtime import clock
from runtime.faults import Faults
from runtime.streams import together
from wire import messages
from wire.labels import LABEL_KEY
from wire.messages import Farewell, JoinRequest, MalformedMessage
from wire.sealing import Opened, public_text

log = structlog.get_logger("leader")

_PATH: Final = "agents' messages"
_LISTENS_FOR: Final = timedelta(seconds=18)
"""An agent waits 20 s for the reply to its notice; this time is slightly shorter to be safe."""
_PATIENCE_SECONDS: Final = 9.0
"""An agent waits 10 s for the reply to a join request, and then sends a new one."""
_PLAIN_PER_SECOND: Final = 2000.0
"""How many requests without a stamp are opened per second: about 15 % of a core."""
_PLAIN_PROOFS: Final = 200.0
_DENIALS: Final = 100.0
"""Proofs and unproven denials per second; each takes about a millisecond of the leader's time."""
_PROVED_AT_ONCE: Final[Mapping[Lane, int]] = {Lane.STAMPED: 48, Lane.PLAIN: 8}
_WAITING_FOR_PROOF: Final[Mapping[Lane, int]] = {Lane.STAMPED: 5000, Lane.PLAIN: 1000}
_BUSY_INBOX: Final = 200
"""With more events in the inbox, proofs wait, so that a notice never waits behind many joins."""
_OPENED_IN_A_ROW: Final = 20
_MANY: Final = 30
_PAUSE_SECONDS: Final = 0.02
"""The pause between two reads while many messages arrive; otherwise it is a quarter of this."""


class Prover(Protocol):
    """Verifies who sent a join request."""

    async def prove(self, request: JoinRequest, key: PublicKey) -> Identity | Denied:
        """Return the sender's identity, or a denial if the identity cannot be proven."""


class _Screened(NamedTuple):
    """A join request that waits until its sender's identity is proven."""

    request: JoinRequest
    opened: Opened
    started: float


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
        self._arrivals = Arrivals(plain_per_second=_PLAIN_PER_SECOND)
        self._plain_proofs = Pace(_PLAIN_PROOFS, _PLAIN_PROOFS)
        self._denials = {lane: Pace(_DENIALS, _DENIALS) for lane in _PROVED_AT_ONCE}
        self._waiting: dict[Lane, asyncio.Queue[_Screened]] = {
            lane: asyncio.Queue(most) for lane, most in _WAITING_FOR_PROOF.items()
        }
        self._members: tuple[Mapping[NodeId, Node] | None, frozenset[str]] = (None, frozenset())
        self._flood = FloodMeter()
        self._last_drop_logged = float("-inf")
        self.last_popped = 0.0
        """The monotonic time of the broker's last response, in seconds."""

    @property
    def is_flooded(self) -> bool:
        """Whether somebody floods the broker, or did in the last seconds."""
        return self._flood.is_flooded(clock.monotonic())

    @property
    def dropped_per_second(self) -> float:
        """How many messages were dropped per second in the last seconds."""
        return self._flood.per_second(clock.monotonic())

    async def take(self, broker: Broker) -> None:
        """Receive messages from the broker, and prove who sent them, until cancelled."""
        provers = {
            f"prove_{lane}_{number}": self._prove_waiting(lane)
            for lane, count in _PROVED_AT_ONCE.items()
            for number in range(count)
        }
        try:
            await together(receive=self._receive(broker), **provers)
        finally:
            # A daemon that no longer leads knows of no flood.
            self._metrics.flooded.set(0)

    async def _receive(self, broker: Broker) -> None:
        while True:
            mail = await broker.receive()
            self.last_popped = clock.monotonic()
            self._drop(Drop.CROWDED, "more messages arrive than can be read", number=mail.lost)
            dropped: Counter[Drop] = Counter()
            opened_in_a_row = 0
            for data, is_report in (
                *((data, True) for data in mail.reports),
                *((data, False) for data in mail.requests),
            ):
                with self._faults.contained(_PATH):
                    lane = self._sort(data, is_report=is_report)
                    if isinstance(lane, Drop):
                        dropped[lane] += 1
                        continue
                    opened_in_a_row += 1
                    await self._open(data, lane)
                if opened_in_a_row % _OPENED_IN_A_ROW == 0:
                    # Opening takes time, and decisions and replies must not wait for a whole batch.
                    await asyncio.sleep(0)
            for reason, number in dropped.items():
                self._drop(reason, f"messages were {reason.value}", number=number)
            self._metrics.flooded.set(self.is_flooded)
            if mail.requests or mail.reports:
                # In a flood, each round trip would otherwise return only a few messages.
                is_many = len(mail.requests) + len(mail.reports) > _MANY
                await asyncio.sleep(_PAUSE_SECONDS if is_many else _PAUSE_SECONDS / 4)

    def _sort(self, data: bytes, *, is_report: bool) -> Lane | Drop:
        at, members = clock.monotonic(), self._member_keys()
        if is_report:
            return self._arrivals.sort_report(data, at, members)
        return self._arrivals.sort_request(data, at, members, clock.now())

    def _member_keys(self) -> frozenset[str]:
        """Return the nodes' join keys; the view has a new mapping of nodes after each change."""
        nodes = self._view().nodes
        if nodes is not self._members[0]:
            labels = (node.labels.get(LABEL_KEY) for node in nodes.values())
            self._members = (nodes, frozenset(key for key in labels if key))
        return self._members[1]

    async def _open(self, data: bytes, lane: Lane) -> None:
        started = clock.monotonic()
        try:
            opened = self._mailbox.open(data)
        except MalformedMessage as exc:
            self._drop("unopenable", str(exc))
            return
        match opened.message:
            case JoinRequest() as message:
                await self._screen(_Screened(message, opened, started), lane)
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
                self._drop(
                    "unopenable", f"the {message.kind} is not for us or not from its instance"
                )

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

    async def _screen(self, screened: _Screened, lane: Lane) -> None:
        """Deny a request that cannot be proven, or let it wait for its proof."""
        # A member's key is in use, so a request with it is no better than one without a stamp.
        lane = Lane.PLAIN if lane is Lane.MEMBER else lane
        denied = self._intake.screen(screened.request, clock.now(), steady_at=clock.steady())
        if denied is not None:
            await self._answer(screened, denied, lane)
            return
        try:
            self._waiting[lane].put_nowait(screened)
        except asyncio.QueueFull:
            self._drop(Drop.CROWDED, "more requests arrive than can be proven")

    async def _prove_waiting(self, lane: Lane) -> None:
        """Prove who sent the waiting requests, one at a time, until cancelled."""
        while True:
            screened = await self._waiting[lane].get()
            await self._may_prove(lane)
            if clock.monotonic() - screened.started > _PATIENCE_SECONDS:
                # Its agent has stopped waiting, and has sent a new request or will soon.
                self._metrics.joins.labels("dropped", "late").inc()
                continue
            with self._faults.contained(_PATH):
                result = await self._prover.prove(screened.request, screened.opened.sender)
                await self._answer(screened, result, lane)

    async def _may_prove(self, lane: Lane) -> None:
        """Wait while decisions fall behind, or while too many requests without a stamp arrive."""
        while len(self._inbox) > _BUSY_INBOX:  # noqa: ASYNC110  rare, and cheaper than an event
            await asyncio.sleep(0.01)
        is_plain = lane is Lane.PLAIN
        while is_plain and not self._plain_proofs.allows(clock.monotonic()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def _answer(self, screened: _Screened, result: Identity | Denied, lane: Lane) -> None:
        request, opened = screened.request, screened.opened
        at, key = clock.steady(), public_text(opened.sender)
        event: Event
        if isinstance(result, Denied):
            if not self._denials[lane].allows(clock.monotonic()):
                self._drop(Drop.CROWDED, f"too many denials to send: {result.reason}")
                return
            asker = Asker(request.nonce, request.reply, key, request.role, opened.by)
            event = JoinUnproven(self._inbox.new_id("join"), at, asker, result)
        else:
            ask = Ask(request.nonce, request.reply, key, request.role, opened.by, result)
            event = JoinAsked(self._inbox.new_id("join"), at, ask)
        await self._inbox.put(event)
        self._metrics.check_seconds.observe(clock.monotonic() - screened.started)

    def _drop(self, code: str, reason: str, *, number: int = 1) -> None:
        """Drop unacceptable messages; log at most one dropped message per second."""
        if number == 0:
            return
        at = clock.monotonic()
        self._flood.count(at, number)
        self._metrics.joins.labels("dropped", str(code)).inc(number)
        if at - self._last_drop_logged > 1:
            self._last_drop_logged = at
            self._record.unopened(clock.steady(), reason)
            log.warning(
                "dropped a message",
                reason=reason,
                dropped_per_second=round(self._flood.per_second(at)),
            )
