"""The shell around `decide`: tickle, look, decide, do, sleep."""

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
    Policy,
    RaiseAlarm,
    Reauthenticate,
    SessionSeen,
    SessionState,
    Watch,
    decide,
    next_look_seconds,
)
from services.cp_api_tickle.webhook import Webhook, words
from services.peers.gateway import AuthStatus, Gateway, PacedError, SessionError

log = structlog.get_logger("cp_api_tickle")

_UP: Final = Gauge("cp_session_up", "1 while the broker's session is well")
_LOOKS: Final = Counter("cp_looks_total", "Looks at the session, by what was seen", ["state"])
_TRIES: Final = Counter("cp_tickle_reauthentications_total", "Times the session was asked for")
_SLACK: Final = 0.1
_LEAST_PAUSE_SECONDS: Final = 1.5
"""A tickle may be asked for once a second, and two that left so far apart arrive nearer."""


def state(told: AuthStatus) -> SessionState:
    """What a status means; competing is looked at first, for it is often not authenticated."""
    if told.competing:
        return "competing"
    if told.authenticated:
        return "well"
    return "lapsed" if told.connected else "logged out"


class Tickler:
    """Keeps one gateway's session alive until cancelled."""

    def __init__(
        self, gateway: Gateway, webhook: Webhook, *, policy: Policy, every_seconds: float
    ) -> None:
        self._gateway = gateway
        self._webhook = webhook
        self._policy = policy
        self._every_seconds = every_seconds
        self._watch = Watch()
        self._random = random.Random()  # noqa: S311  spreads load, keeps no secret

    async def run(self) -> None:
        """For ever: whatever the gateway does is seen, never raised."""
        while True:
            event = await self._look()
            self._watch, actions = decide(self._watch, event, self._policy)
            _UP.set(1 if self._watch.is_up else 0)
            pause = next_look_seconds(
                self._watch, self._policy, at=event.at, every_seconds=self._every_seconds
            )
            for action in actions:
                pause = min(pause, await self._do(action, pause))
            await asyncio.sleep(max(_LEAST_PAUSE_SECONDS, self._spread(pause)))

    def _spread(self, pause: float) -> float:
        """A little sooner than told; a penalty is sat out whole and a little longer."""
        share = _SLACK * self._random.random()
        is_paced = self._watch.seen is not None and self._watch.seen.state == "paced"
        return pause * (1 + share if is_paced else 1 - share)

    async def check(self) -> str | None:
        """None while the session is well, else a sentence: for readiness."""
        seen = self._watch.seen
        if seen is None:
            return "the session was not looked at yet"
        return None if seen.state == "well" else f"the session is {seen.state}"

    async def _look(self) -> SessionSeen:
        found = await self._seen()
        _LOOKS.labels(found.state).inc()
        if self._watch.seen is None or self._watch.seen.state != found.state:
            log.info("session seen", state=found.state, detail=found.detail)
        return found

    async def _seen(self) -> SessionSeen:
        try:
            await self._gateway.tickle()
            return SessionSeen(clock.now(), state(await self._gateway.auth_status()))
        except PacedError as exc:
            return SessionSeen(clock.now(), "paced", str(exc))
        except SessionError as exc:
            return SessionSeen(clock.now(), "lapsed", str(exc))
        except RefusedError as exc:
            return SessionSeen(clock.now(), "logged out", str(exc))
        except ClusterError as exc:
            return SessionSeen(clock.now(), "away", str(exc))

    async def _do(self, action: Action, pause: float) -> float:
        """Seconds until the next look, as far as the action has a say in it."""
        match action:
            case Reauthenticate(reason=reason, look_again_seconds=soon):
                _TRIES.inc()
                log.info("asking for the session again", reason=reason)
                try:
                    await self._gateway.reauthenticate()
                except ClusterError as exc:
                    log.warning("re-authentication failed", reason=str(exc))
                    return pause
                return soon
            case RaiseAlarm(reason=reason, since=since):
                log.error("session lost", reason=reason, since=since.isoformat())
                self._webhook.send(words(action, at=clock.now()))
            case EndAlarm(reason=reason, since=since):
                log.info("session returned", reason=reason, since=since.isoformat())
                self._webhook.send(words(action, at=clock.now()))
        return pause
