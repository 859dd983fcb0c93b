"""Asking the gateway: in turn, in session, and not at all while that can only do harm.

Rules: every request goes through the pacer. After a 429 nothing is asked for the whole penalty,
for asking on may shut our address out for good. Re-authentication is one at a time, and after
one that did not help the next comes later and later. A session that competes is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from prometheus_client import Counter

from runtime import clock
from runtime.backoff import backoff
from runtime.errors import ClusterError, UnavailableError
from services.cp_api.outlook import SENTENCES, Outlook, outlook
from services.cp_api.pacing import Pacer
from services.peers.gateway import (
    AccountsError,
    AuthStatus,
    Gateway,
    LoginError,
    PacedError,
    SessionError,
    UnansweredError,
)
from services.peers.quotes import SessionStatus

log = structlog.get_logger("cp_api")

T = TypeVar("T")

_ASKED: Final = Counter(
    "cp_gateway_requests_total", "Requests to the broker's gateway", ["endpoint", "outcome"]
)
_REPAIRS: Final = Counter("cp_reauthentications_total", "Times the session was asked for again")
_TROUBLE_CEILING_SECONDS: Final = 15.0


class AwayError(UnavailableError):
    """The broker cannot be asked now; the text is a sentence for the caller."""

    def __init__(self, told: str, *, retry_after_seconds: float = 5.0) -> None:
        super().__init__(told)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class _Trouble:
    told: str
    until: float


class Broker:
    """The gateway as the rest of cp_api may use it."""

    def __init__(
        self,
        gateway: Gateway,
        pacer: Pacer,
        *,
        queue_seconds: float,
        penalty_seconds: float,
        status_seconds: float,
    ) -> None:
        self._gateway = gateway
        self._pacer = pacer
        self._queue_seconds = queue_seconds
        self._penalty_seconds = penalty_seconds
        self._status_seconds = status_seconds
        self._repairing = asyncio.Lock()
        self._sessions = 0
        """How often the session was found or made to be well."""
        self._is_ready = False
        """The session is well and was asked for its accounts, as far as we know."""
        self._trouble: _Trouble | None = None
        self._pauses: Iterator[float] = _pauses()
        self._known = asyncio.Event()
        self._status: SessionStatus | None = None

    async def ask(
        self, endpoint: str, call: Callable[[Gateway], Awaitable[T]], *, in_session: bool
    ) -> T:
        """What `call` answers when its turn has come; `AwayError` when it cannot be had.

        `call` may be called twice: the second time in a session that was repaired.
        """
        self._refuse_in_trouble()
        try:
            found = await self._asked(endpoint, call, in_session=in_session)
        except _SessionAwayError as exc:
            raise self._troubled(str(exc)) from exc
        except AwayError:
            raise
        except UnansweredError as exc:
            raise AwayError(f"The broker has no answer ({exc}).") from exc
        except LoginError as exc:
            self._is_ready = False
            raise self._troubled(SENTENCES[Outlook.LOGGED_OUT]) from exc
        except SessionError as exc:
            self._is_ready = False
            raise self._troubled(SENTENCES[Outlook.LAPSED]) from exc
        except UnavailableError as exc:
            raise self._troubled(f"The broker's gateway is away ({exc}).") from exc
        self._well()
        return found

    async def run(self) -> None:
        """Look at the session now and then, in trouble too, so that `status` is never late."""
        while True:
            self._status = await self._look()
            self._known.set()
            await asyncio.sleep(self._status_seconds)

    async def status(self) -> SessionStatus:
        """How the session was a few seconds ago."""
        await self._known.wait()
        if self._status is None:
            raise AwayError("The session was not looked at yet.")
        return self._status

    def pacing(self) -> Pacer:
        """How often the gateway was asked, for the status."""
        return self._pacer

    async def _look(self) -> SessionStatus:
        try:
            told = await self._session_turn("auth/status", Gateway.auth_status)
        except LoginError:
            return _session_status(AuthStatus(), SENTENCES[Outlook.LOGGED_OUT], reachable=True)
        except AwayError as exc:  # in the penalty box
            return _session_status(AuthStatus(), str(exc), reachable=True)
        except ClusterError as exc:
            return _session_status(AuthStatus(), f"The gateway is away: {exc}.", reachable=False)
        look = outlook(told)
        if look is Outlook.WELL:
            self._well()
        return _session_status(told, SENTENCES[look], reachable=True)

    async def _asked(
        self, endpoint: str, call: Callable[[Gateway], Awaitable[T]], *, in_session: bool
    ) -> T:
        if in_session and not self._is_ready:
            await self._repair(self._sessions)
        session = self._sessions
        try:
            return await self._turn(endpoint, call)
        except (SessionError, AccountsError):
            self._is_ready = False
        await self._repair(session)
        return await self._turn(endpoint, call)

    async def _repair(self, session: int) -> None:
        """Have a session that is well and knows its accounts, unless somebody just did that."""
        async with self._repairing:
            if self._sessions != session:
                return
            status = await self._session_turn("auth/status", Gateway.auth_status)
            if outlook(status) is Outlook.LAPSED:
                _REPAIRS.inc()
                log.info("asking for the session again")
                status = await self._session_turn("auth/ssodh/init", Gateway.reauthenticate)
            look = outlook(status)
            if look is not Outlook.WELL:
                log.warning("session is not to be had", outlook=look.name.lower())
                raise _SessionAwayError(SENTENCES[look])
            await self._session_turn("accounts", Gateway.accounts)
            self._sessions += 1
            self._is_ready = True
            log.info("session is well", simulated=status.simulated)

    async def _session_turn(self, endpoint: str, call: Callable[[Gateway], Awaitable[T]]) -> T:
        """A turn that is always had: the line is never longer than what others wait at most."""
        return await self._turn(endpoint, call, within=2 * self._queue_seconds)

    async def _turn(
        self,
        endpoint: str,
        call: Callable[[Gateway], Awaitable[T]],
        *,
        within: float | None = None,
    ) -> T:
        now = clock.monotonic()
        closed = self._pacer.closed_for(now=now)
        if closed:
            raise _penalty(closed)
        wait = self._pacer.take(endpoint, now=now, within=within or self._queue_seconds)
        if wait is None:
            _ASKED.labels(endpoint, "not our turn").inc()
            again = self._pacer.wait(endpoint, now=now)
            raise AwayError("Too much is asked of the broker now.", retry_after_seconds=again)
        await asyncio.sleep(wait)
        closed = self._pacer.closed_for(now=clock.monotonic())
        if closed:
            raise _penalty(closed)
        try:
            found = await call(self._gateway)
        except PacedError as exc:
            _ASKED.labels(endpoint, "paced").inc()
            self._pacer.close(now=clock.monotonic(), seconds=self._penalty_seconds)
            log.warning("paced by the gateway", endpoint=endpoint, seconds=self._penalty_seconds)
            raise _penalty(self._penalty_seconds) from exc
        except ClusterError:
            _ASKED.labels(endpoint, "refused").inc()
            raise
        _ASKED.labels(endpoint, "answered").inc()
        return found

    def _refuse_in_trouble(self) -> None:
        if self._trouble is None:
            return
        left = self._trouble.until - clock.monotonic()
        if left > 0:
            raise AwayError(self._trouble.told, retry_after_seconds=left)

    def _troubled(self, told: str) -> AwayError:
        """Ask nothing for a while: callers have their stale answers at once."""
        if self._trouble is None:
            log.warning("gateway is of no use", reason=told)
        pause = next(self._pauses)
        self._trouble = _Trouble(told, clock.monotonic() + pause)
        return AwayError(told, retry_after_seconds=pause)

    def _well(self) -> None:
        if self._trouble is not None:
            log.info("gateway is of use again")
            self._trouble = None
            self._pauses = _pauses()


class _SessionAwayError(AwayError):
    """There is no session, and asking again at once would not make one."""


def _penalty(seconds: float) -> AwayError:
    return AwayError(
        "The broker's gateway said that we ask too much; nothing is asked until that is over.",
        retry_after_seconds=seconds,
    )


def _pauses() -> Iterator[float]:
    return backoff(first=1.0, ceiling=_TROUBLE_CEILING_SECONDS)


def _session_status(told: AuthStatus, detail: str, *, reachable: bool) -> SessionStatus:
    return SessionStatus(
        reachable=reachable,
        authenticated=told.authenticated,
        connected=told.connected,
        competing=told.competing,
        simulated=told.simulated,
        detail=detail,
        at=clock.now(),
    )
