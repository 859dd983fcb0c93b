"""Carries out actions by calling the modules in `edges/`. Each action results in one event.

Rule: turn whatever an action raises into an event. An exception that is not a `ClusterError` is a
bug, which is also counted and logged.
"""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from agent.actions import (
    Action,
    InspectEngine,
    Join,
    Leave,
    LeaveByForce,
    Pause,
    PowerOff,
    Rejoin,
    RequestToken,
)
from agent.edges import machine
from agent.edges.contact import Contact
from agent.edges.files import LocalFiles
from agent.edges.metadata import Metadata
from agent.events import (
    EngineInspected,
    EngineUnavailable,
    Event,
    JoinFailed,
    News,
    Paused,
    RequestFailed,
)
from agent.join_request import request_token
from agent.reports import sealed_farewell
from runtime import clock
from runtime.errors import ClusterError
from runtime.faults import Faults
from wire.instance import InstanceFacts
from wire.messages import Role
from wire.user_data import UserData

if TYPE_CHECKING:
    from agent.edges.engine import Engine

log = structlog.get_logger("agent")

_FAREWELL_SECONDS: Final = 3.0
_POWER_OFF_SECONDS: Final = 60.0


class Performer:
    """Carries out the actions that `decide` returns, one at a time."""

    def __init__(
        self,
        user_data: UserData,
        facts: InstanceFacts,
        *,
        engine: "Engine",
        metadata: Metadata,
        files: LocalFiles,
        news: "asyncio.Queue[News]",
        power_off: Callable[[], None] = machine.power_off,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults or Faults()
        self._user_data = user_data
        self._facts = facts
        self._engine = engine
        self._metadata = metadata
        self._files = files
        self._news = news
        self._power_off = power_off
        self._contact = Contact(files.contact, self._is_leader_there)
        self._rng = random.Random()  # noqa: S311  jitter, not a secret

    async def __call__(self, action: Action) -> Event:
        """Carry out one action and return the resulting event.

        If an exception is raised, return an event that contains the reason.
        """
        try:
            return await self._carry_out(action)
        except ClusterError as exc:
            reason = str(exc)
        except Exception as exc:  # noqa: BLE001  the fault is noted, and the action fails
            cause = self._faults.note("actions", exc)
            reason = f"the agent has a fault: {cause}; the journal has its traceback"
        match action:
            case Join():
                return JoinFailed(clock.steady(), reason)
            case RequestToken():
                return RequestFailed(clock.steady(), reason)
            case Pause():
                # Without this pause, a fault of the pause would make the agent's loop busy.
                await asyncio.sleep(action.most.total_seconds())
        return EngineUnavailable(clock.steady(), reason)

    async def _carry_out(self, action: Action) -> Event:
        match action:
            case Pause(least=least, most=most):
                return await self._pause(least.total_seconds(), most.total_seconds())
            case InspectEngine(checks_contact=checks_contact):
                return await self._inspect(checks_contact=checks_contact)
            case RequestToken():
                return await self._request_token(action)
            case Join(ticket=ticket):
                # Store the key first: the engine may still join after the call has failed.
                self._files.store_join_key(ticket.key)
                await self._engine.join(ticket, address=self._facts.address)
                self._contact.record()
                return await self._inspect()
            case LeaveByForce():
                await self._engine.leave_by_force()
                return await self._inspect()
            case Leave(why=why):
                await self._leave(why)
                return await self._inspect()
            case Rejoin():
                self._files.clear_departure()
                return await self._inspect()
            case PowerOff(reason=reason):
                await self._leave_and_power_off(reason)
                return await self._inspect()
        raise TypeError(f"no code carries out {type(action).__name__}")

    async def _pause(self, least: float, most: float) -> Event:
        try:
            async with asyncio.timeout(self._rng.uniform(least, most)):
                return await self._news.get()
        except TimeoutError:
            return Paused(clock.steady())

    async def _inspect(self, *, checks_contact: bool = False) -> Event:
        membership = await self._engine.membership()
        event = EngineInspected(clock.steady(), membership.state, membership.error)
        if (
            not checks_contact
            or membership.is_manager
            or membership.state not in {"active", "pending", "error"}
        ):
            return event
        if self._user_data.role is not Role.WORKER or not self._user_data.deadman_seconds:
            return event
        silence, missed_checks = await self._contact.check(membership.managers)
        return EngineInspected(event.at, event.state, event.error, silence, missed_checks)

    async def _request_token(self, action: RequestToken) -> Event:
        from agent.edges import broker  # noqa: PLC0415  heavy, so imported when needed

        return await request_token(
            self._user_data,
            self._facts,
            role=action.role,
            offset=action.clock_offset,
            credentials=self._metadata.credentials,
            send=broker.ask,
        )

    async def _is_leader_there(self) -> bool:
        from agent.edges import broker  # noqa: PLC0415  heavy, so imported when needed

        return await broker.is_leader_there(self._user_data)

    async def _leave(self, why: str) -> None:
        node = (await self._engine.membership()).node
        # Record the departure first: an agent that restarts in between must not ask to join again.
        self._files.record_departure(why)
        await self._engine.leave()
        log.warning("left the swarm", reason=why, node=node)
        await self._send_farewell(node, why)

    async def _send_farewell(self, node: str, reason: str) -> None:
        from agent.edges import broker  # noqa: PLC0415  heavy, so imported when needed

        key = self._files.join_key()
        if key is None:
            return
        try:
            sealed = sealed_farewell(
                self._user_data, self._facts, node=node, reason=reason, key=key
            )
            with self._faults.contained("the farewell", passing=(ClusterError, TimeoutError)):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await broker.push(self._user_data, sealed)
        except (ClusterError, TimeoutError) as exc:
            log.warning(
                "could not send the farewell message",
                reason=str(exc) or "the broker took too long to respond",
            )

    async def _leave_and_power_off(self, reason: str) -> None:
        log.critical("powering off", reason=reason)
        try:
            with self._faults.contained("leaving", passing=(ClusterError,)):
                await self._engine.leave()
        except ClusterError as exc:
            log.warning("could not leave the swarm; powering off anyway", reason=str(exc))
        await asyncio.to_thread(self._power_off)
        # If the machine is still running after this pause, the agent asks to join again.
        await asyncio.sleep(_POWER_OFF_SECONDS)
