"""The agent daemon: finds out who it is, then does what `decide` says, one thing at a time.

The only module that knows everybody. Rule: READY comes before anything slow, for the engine
waits for it (`Before=docker.service`); what is heavy to import is imported after.
"""

import asyncio
import random
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from agent.actions import Action, Ask, Join, LeaveByForce, LookAtEngine, Pause
from agent.asking import ask
from agent.decide import decide
from agent.edges.belongings import Belongings
from agent.edges.metadata import Metadata
from agent.events import EngineAway, EngineSeen, Event, JoinFailed, Paused
from agent.model import Policy, View
from runtime import clock, systemd
from runtime.backoff import backoff
from runtime.errors import ClusterError, RefusedError
from runtime.streams import together
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage
from wire.user_data import UserData

if TYPE_CHECKING:
    from agent.edges.engine import Engine

log = structlog.get_logger("agent")

_READY_AT_LATEST_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """Who we are and what we were told."""

    facts: InstanceFacts
    data: UserData


class Daemon:
    """One agent daemon; `run` lives until cancelled."""

    def __init__(self, metadata: Metadata, belongings: Belongings) -> None:
        self._metadata = metadata
        self._belongings = belongings
        self._rng = random.Random()  # noqa: S311  spreads load, keeps no secret
        self._status = ""

    async def run(self) -> None:
        """Become a member and stay one, for ever."""
        await together(
            feed_the_watchdog=systemd.feed_watchdog(),
            belong=self._belong(),
        )

    async def _belong(self) -> None:
        late = asyncio.get_running_loop().call_later(
            _READY_AT_LATEST_SECONDS, lambda: systemd.notify(READY="1")
        )
        told = await self._settle()
        late.cancel()
        systemd.notify(READY="1")
        # Heavy, and needed only now: the engine starts meanwhile.
        from agent.edges.engine import Engine  # noqa: PLC0415

        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(Engine())
            view, event = View(), Paused(clock.now())
            policy = Policy(role=told.data.role)
            heard: Event = event
            while True:
                view, action = decide(view, heard, policy)
                self._report(action)
                heard = await self._perform(action, engine, told)

    async def _settle(self) -> Told:
        """Learn who we are and claim the engine's state; tried until it works."""
        delays = backoff(first=0.2, ceiling=15)
        while True:
            try:
                return await self._learn()
            except (ClusterError, MalformedMessage) as exc:
                self._say(str(exc))
                await asyncio.sleep(next(delays))

    async def _learn(self) -> Told:
        text = self._belongings.settings_text()
        if text is None:
            self._say("asking the metadata service who we are")
            text = await self._metadata.user_data()
        data = user_data.parse(text)
        for name in user_data.unknown(text):
            log.warning("setting not known to this version", setting=name)
        if data.identity == "password":
            facts = await asyncio.to_thread(_facts_outside_aws, data)
        else:
            facts = await self._metadata.facts()
        if self._belongings.claim(facts.instance):
            log.warning(
                "state of another instance removed",
                instance=facts.instance,
                reason="this disk was copied from a running instance",
            )
        self._belongings.hand_over(facts, text if data.leader is not None else None)
        log.info("settled", **facts.model_dump(), cluster=data.cluster, role=data.role.value)
        return Told(facts, data)

    async def _perform(self, action: Action, engine: "Engine", told: Told) -> Event:
        """Carry one action out; never raises for what the outside answers."""
        try:
            match action:
                case Pause(least=least, most=most):
                    await asyncio.sleep(
                        self._rng.uniform(least.total_seconds(), most.total_seconds())
                    )
                    return Paused(clock.now())
                case LookAtEngine():
                    return EngineSeen(clock.now(), *await engine.state())
                case LeaveByForce():
                    await engine.leave_by_force()
                    return EngineSeen(clock.now(), *await engine.state())
                case Ask(role=role, clock_offset=offset):
                    from agent.edges import broker  # noqa: PLC0415  heavy, see the module

                    return await ask(
                        told.data,
                        told.facts,
                        role=role,
                        offset=offset,
                        credentials=self._metadata.credentials,
                        send=broker.ask,
                    )
                case Join(ticket=ticket):
                    await engine.join(ticket, address=told.facts.address)
                    return EngineSeen(clock.now(), *await engine.state())
        except ClusterError as exc:
            kind = JoinFailed if isinstance(action, Join) else EngineAway
            return kind(clock.now(), str(exc))
        raise TypeError(f"nobody carries out {type(action).__name__}")

    def _report(self, action: Action) -> None:
        self._say(action.reason)

    def _say(self, status: str) -> None:
        """Tell systemd's status line, and the journal when it changes."""
        if status != self._status:
            self._status = status
            log.info("status", now=status)
        systemd.notify(STATUS=status)


def _facts_outside_aws(data: UserData) -> InstanceFacts:
    """Who a machine without metadata is: its host name and its address on the broker's side."""
    host = data.broker.removeprefix("rediss://").rpartition(":")[0]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # Connecting a datagram socket sends nothing; it picks the address of the route.
            sock.connect((host, 9))
            address = str(sock.getsockname()[0])
    except OSError as exc:
        raise RefusedError(f"there is no route to the broker at {host}") from exc
    return InstanceFacts(
        instance=socket.gethostname().partition(".")[0],
        region="none",
        zone="none",
        type="none",
        lifecycle="on-demand",
        address=address,
    )
