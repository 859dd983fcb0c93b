"""Carrying actions out: one call or a few of the edges, and back comes one event.

Rule: whatever the outside answers is an event; only a bug is raised.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from agent.actions import (
    Action,
    Ask,
    ComeBack,
    Join,
    Leave,
    LeaveByForce,
    LookAtEngine,
    Pause,
    PowerOff,
)
from agent.asking import ask
from agent.edges import machine
from agent.edges.belongings import Belongings
from agent.edges.contact import Contact
from agent.edges.metadata import Metadata
from agent.events import EngineAway, EngineSeen, Event, JoinFailed, News, Paused
from agent.telling import farewell
from runtime import clock
from runtime.errors import ClusterError
from wire.instance import InstanceFacts
from wire.messages import Role
from wire.user_data import UserData

if TYPE_CHECKING:
    from agent.edges.engine import Engine

log = structlog.get_logger("agent")

_FAREWELL_SECONDS: Final = 3.0
_POWER_OFF_SECONDS: Final = 60.0


class Performer:
    """Does what `decide` says, one action at a time."""

    def __init__(
        self,
        told: UserData,
        facts: InstanceFacts,
        *,
        engine: "Engine",
        metadata: Metadata,
        belongings: Belongings,
        news: "asyncio.Queue[News]",
        power_off: Callable[[], None] = machine.power_off,
    ) -> None:
        self._told = told
        self._facts = facts
        self._engine = engine
        self._metadata = metadata
        self._belongings = belongings
        self._news = news
        self._power_off = power_off
        self._contact = Contact(belongings.contact, self._is_leader_there)
        self._rng = random.Random()  # noqa: S311  spreads load, keeps no secret

    async def __call__(self, action: Action) -> Event:
        """Carry one action out; never raises for what the outside answers."""
        try:
            return await self._do(action)
        except ClusterError as exc:
            kind = JoinFailed if isinstance(action, Join) else EngineAway
            return kind(clock.now(), str(exc))

    async def _do(self, action: Action) -> Event:
        match action:
            case Pause(least=least, most=most):
                return await self._pause(least.total_seconds(), most.total_seconds())
            case LookAtEngine(is_listening=is_listening):
                return await self._look(is_listening=is_listening)
            case Ask():
                return await self._ask(action)
            case Join(ticket=ticket):
                # Before the engine joins, which it may still do after the call has failed.
                self._belongings.keep_join_key(ticket.key)
                await self._engine.join(ticket, address=self._facts.address)
                self._contact.heard()
                return await self._look()
            case LeaveByForce():
                await self._engine.leave_by_force()
                return await self._look()
            case Leave(why=why):
                await self._leave(why)
                return await self._look()
            case ComeBack():
                self._belongings.forget_left()
                return await self._look()
            case PowerOff(reason=reason):
                await self._end(reason)
                return await self._look()
        raise TypeError(f"nobody carries out {type(action).__name__}")

    async def _pause(self, least: float, most: float) -> Event:
        try:
            async with asyncio.timeout(self._rng.uniform(least, most)):
                return await self._news.get()
        except TimeoutError:
            return Paused(clock.now())

    async def _look(self, *, is_listening: bool = False) -> Event:
        found = await self._engine.membership()
        event = EngineSeen(clock.now(), found.state, found.error)
        if (
            not is_listening
            or found.is_manager
            or found.state not in {"active", "pending", "error"}
        ):
            return event
        if self._told.role is not Role.WORKER or not self._told.deadman_seconds:
            return event
        silent, missed = await self._contact.look(found.managers)
        return EngineSeen(event.at, event.state, event.error, silent, missed)

    async def _ask(self, action: Ask) -> Event:
        from agent.edges import broker  # noqa: PLC0415  heavy, see the module

        return await ask(
            self._told,
            self._facts,
            role=action.role,
            offset=action.clock_offset,
            credentials=self._metadata.credentials,
            send=broker.ask,
        )

    async def _is_leader_there(self) -> bool:
        from agent.edges import broker  # noqa: PLC0415  heavy, see the module

        return await broker.is_leader_there(self._told)

    async def _leave(self, why: str) -> None:
        node = (await self._engine.membership()).node
        # First: an agent that ends in between must not ask to join again.
        self._belongings.note_left(why)
        await self._engine.leave()
        log.warning("left the swarm", reason=why, node=node)
        await self._say_farewell(node, why)

    async def _say_farewell(self, node: str, reason: str) -> None:
        from agent.edges import broker  # noqa: PLC0415  heavy, see the module

        key = self._belongings.join_key()
        if key is None:
            return
        sealed = farewell(self._told, self._facts, node=node, reason=reason, key=key)
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await broker.push(self._told, sealed)
        except (ClusterError, TimeoutError) as exc:
            log.warning("farewell not said", reason=str(exc) or "the broker takes too long")

    async def _end(self, reason: str) -> None:
        log.critical("powering off", reason=reason)
        try:
            await self._engine.leave()
        except ClusterError as exc:
            log.warning("not left before powering off", reason=str(exc))
        await asyncio.to_thread(self._power_off)
        # If we still live after this, joining again is the better end.
        await asyncio.sleep(_POWER_OFF_SECONDS)
