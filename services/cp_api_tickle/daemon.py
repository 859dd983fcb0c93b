"""Runs the main loop: tickle, check the session, decide, act, sleep."""

import asyncio
import random
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from runtime import clock
from runtime.errors import ClusterError, RefusedError
from services.cp_api_tickle.decide import (
    Action,
    EndAlarm,
    Memory,
    Policy,
    RaiseAlarm,
    Reauthenticate,
    SessionCheck,
    SessionState,
    decide,
    next_check_seconds,
)
from services.cp_api_tickle.webhook import Webhook, message
from services.peers.gateway import (
    AddressError,
    AuthStatus,
    Gateway,
    PacedError,
    SessionError,
)

log = structlog.get_logger("cp_api_tickle")

_UP: Final = Gauge("cp_session_up", "1 while the brokerage session is working")
_CHECKS: Final = Counter("cp_looks_total", "Checks of the session, by its state", ["state"])
_TRIES: Final = Counter("cp_tickle_reauthentications_total", "Re-authentications that were started")
_SLACK: Final = 0.1
_LEAST_PAUSE_SECONDS: Final = 1.5
"""The gateway allows one tickle per second, but network delays may bring two closer together."""


def state(status: AuthStatus) -> SessionState:
    """Return the session's state. A competing session takes precedence over other problems."""
    if status.competing:
        return "competing"
    if status.authenticated:
        return "well"
    return "lapsed" if status.connected else "logged out"


class Tickler:
    """Keeps one gateway's session alive."""

    def __init__(
        self, gateway: Gateway, webhook: Webhook, *, policy: Policy, every_seconds: float
    ) -> None:
        self._gateway = gateway
        self._webhook = webhook
        self._policy = policy
        self._every_seconds = every_seconds
        self._memory = Memory()
        self._random = random.Random()  # noqa: S311  for jitter, not for secrets

    async def run(self) -> None:
        """Run until cancelled. Gateway errors count as failed checks and are not raised."""
        while True:
            event = await self._check()
            self._memory, actions = decide(self._memory, event, self._policy)
            _UP.set(1 if self._memory.is_up else 0)
            pause = next_check_seconds(
                self._memory, self._policy, at=event.at, every_seconds=self._every_seconds
            )
            for action in actions:
                pause = min(pause, await self._perform(action, pause))
            await asyncio.sleep(max(_LEAST_PAUSE_SECONDS, self._jittered(pause)))

    def _jittered(self, pause: float) -> float:
        """Return the pause with a random change: longer during a penalty, shorter otherwise."""
        share = _SLACK * self._random.random()
        is_paced = self._memory.last_check is not None and self._memory.last_check.state == "paced"
        return pause * (1 + share if is_paced else 1 - share)

    async def check(self) -> str | None:
        """Readiness check: return None if the session is working, otherwise the problem."""
        seen = self._memory.last_check
        if seen is None:
            return "the session has not been checked yet"
        return None if seen.state == "well" else f"the session is {seen.state}"

    async def _check(self) -> SessionCheck:
        session = await self._tickle()
        _CHECKS.labels(session.state).inc()
        if self._memory.last_check is None or self._memory.last_check.state != session.state:
            log.info("the session's state changed", state=session.state, detail=session.detail)
        return session

    async def _tickle(self) -> SessionCheck:
        try:
            await self._gateway.tickle()
            return SessionCheck(clock.now(), state(await self._gateway.auth_status()))
        except PacedError as exc:
            return SessionCheck(clock.now(), "paced", str(exc))
        except SessionError as exc:
            return SessionCheck(clock.now(), "lapsed", str(exc))
        except AddressError as exc:
            return SessionCheck(clock.now(), "not allowed", str(exc))
        except RefusedError as exc:
            return SessionCheck(clock.now(), "logged out", str(exc))
        except ClusterError as exc:
            return SessionCheck(clock.now(), "away", str(exc))
        except Exception:
            log.exception("could not check the session because of a bug")
            return SessionCheck(clock.now(), "away", "the check failed; see the log")

    async def _perform(self, action: Action, pause: float) -> float:
        """Perform an action and return the seconds until the next check."""
        match action:
            case Reauthenticate(reason=reason, check_again_seconds=soon):
                _TRIES.inc()
                log.info("re-authenticating with the gateway", reason=reason)
                try:
                    await self._gateway.reauthenticate()
                except ClusterError as exc:
                    log.warning("re-authentication failed", reason=str(exc))
                    return pause
                return soon
            case RaiseAlarm(reason=reason, since=since):
                log.error("lost the brokerage session", reason=reason, since=since.isoformat())
                self._webhook.send(message(action, at=clock.now()))
            case EndAlarm(reason=reason, since=since):
                log.info(
                    "the brokerage session is working again",
                    reason=reason,
                    since=since.isoformat(),
                )
                self._webhook.send(message(action, at=clock.now()))
        return pause
