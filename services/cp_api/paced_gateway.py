"""Calls the gateway within its rate limits and maintains a working session.

Rules: every request waits for its turn. After a 429 response, no request is sent until the penalty
is over, because further requests could get our address banned permanently. Only one
re-authentication runs at a time. After a failure, requests pause for increasing intervals. A
competing session of the same user is never closed.
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
from services.cp_api.pacing import Pacer
from services.cp_api.session_state import SENTENCES, SessionState, session_state
from services.peers.gateway import (
    AccountsError,
    AddressError,
    AuthStatus,
    Gateway,
    LoginError,
    PacedError,
    SessionError,
    UnansweredError,
    UninitialisedError,
)
from services.peers.quotes import SessionStatus

log = structlog.get_logger("cp_api")

T = TypeVar("T")

_REQUESTS: Final = Counter(
    "cp_gateway_requests_total", "Requests to the Client Portal gateway", ["endpoint", "outcome"]
)
_REPAIRS: Final = Counter("cp_reauthentications_total", "Re-authentications that were started")
_TROUBLE_CEILING_SECONDS: Final = 15.0


class AwayError(UnavailableError):
    """Interactive Brokers is unavailable. The error message is meant for the caller."""

    def __init__(self, message: str, *, retry_after_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class _Trouble:
    message: str
    until: float


class PacedGateway:
    """A rate-limited client for the gateway. Call `run` in a background task."""

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
        self._repair_lock = asyncio.Lock()
        self._sessions = 0
        """How many times a working session was established."""
        self._is_ready = False
        """Whether the session worked when last used, and its accounts were requested."""
        self._trouble: _Trouble | None = None
        self._pauses: Iterator[float] = _pauses()
        self._has_status = asyncio.Event()
        self._status: SessionStatus | None = None

    async def ask(
        self, endpoint: str, call: Callable[[Gateway], Awaitable[T]], *, in_session: bool
    ) -> T:
        """Wait until the rate limits allow the call, then make it and return its result.

        If the session has lapsed, re-authenticate and repeat the call.

        Raises:
            AwayError: if the gateway is unavailable or the request would have to wait too long.
        """
        self._refuse_in_trouble()
        try:
            result = await self._ask_in_session(endpoint, call, in_session=in_session)
        except _SessionAwayError as exc:
            raise self._troubled(str(exc)) from exc
        except AwayError:
            raise
        except UnansweredError as exc:
            raise AwayError(f"Interactive Brokers did not respond ({exc}).") from exc
        except AddressError as exc:
            raise self._troubled(SENTENCES[SessionState.NOT_ALLOWED]) from exc
        except LoginError as exc:
            self._is_ready = False
            raise self._troubled(SENTENCES[SessionState.LOGGED_OUT]) from exc
        except SessionError as exc:
            self._is_ready = False
            raise self._troubled(SENTENCES[SessionState.LAPSED]) from exc
        except UnavailableError as exc:
            raise self._troubled(f"The gateway is unavailable ({exc}).") from exc
        self._recover()
        return result

    async def run(self) -> None:
        """Check the session at regular intervals until cancelled, to keep `status` up to date."""
        while True:
            self._status = await self._check_session()
            self._has_status.set()
            await asyncio.sleep(self._status_seconds)

    async def status(self) -> SessionStatus:
        """Return the session's status as of the last check."""
        await self._has_status.wait()
        if self._status is None:
            raise AwayError("The session has not been checked yet.")
        return self._status

    def pacing(self) -> Pacer:
        """Return the pacer, which schedules and counts the requests."""
        return self._pacer

    async def _check_session(self) -> SessionStatus:
        try:
            status = await self._session_turn("auth/status", Gateway.auth_status)
        except AddressError:
            return _session_status(
                AuthStatus(), SENTENCES[SessionState.NOT_ALLOWED], reachable=True
            )
        except LoginError:
            return _session_status(AuthStatus(), SENTENCES[SessionState.LOGGED_OUT], reachable=True)
        except AwayError as exc:  # the penalty is not over
            return _session_status(AuthStatus(), str(exc), reachable=True)
        except ClusterError as exc:
            return _session_status(
                AuthStatus(), f"The gateway is unavailable: {exc}.", reachable=False
            )
        except Exception:
            log.exception("could not check the session because of a bug")
            return _session_status(
                AuthStatus(), "The session could not be checked; see the log.", reachable=False
            )
        state = session_state(status)
        if state is SessionState.WELL:
            self._recover()
        return _session_status(status, SENTENCES[state], reachable=True)

    async def _ask_in_session(
        self, endpoint: str, call: Callable[[Gateway], Awaitable[T]], *, in_session: bool
    ) -> T:
        if in_session and not self._is_ready:
            await self._repair(self._sessions)
        session = self._sessions
        try:
            return await self._turn(endpoint, call)
        except (SessionError, AccountsError) as exc:
            self._is_ready = False
            must_open = isinstance(exc, UninitialisedError)
        await self._repair(session, must_open=must_open)
        return await self._turn(endpoint, call)

    async def _repair(self, session: int, *, must_open: bool = False) -> None:
        """Establish a session and request its accounts, unless another caller has just done so.

        If `must_open` is true, open the session even if its status says that it works.
        """
        async with self._repair_lock:
            if self._sessions != session:
                return
            status = await self._session_turn("auth/status", Gateway.auth_status)
            state = session_state(status)
            if state is SessionState.LAPSED or (must_open and state is SessionState.WELL):
                _REPAIRS.inc()
                log.info("re-authenticating with the gateway")
                status = await self._session_turn("auth/ssodh/init", Gateway.reauthenticate)
            state = session_state(status)
            if state is not SessionState.WELL:
                log.warning("could not establish a session", state=state.name.lower())
                raise _SessionAwayError(SENTENCES[state])
            await self._session_turn("accounts", Gateway.accounts)
            self._sessions += 1
            self._is_ready = True
            log.info("established a session", simulated=status.simulated)

    async def _session_turn(self, endpoint: str, call: Callable[[Gateway], Awaitable[T]]) -> T:
        """Make a call that may wait twice as long for its turn as other calls."""
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
            _REQUESTS.labels(endpoint, "not our turn").inc()
            retry_seconds = self._pacer.wait(endpoint, now=now)
            raise AwayError(
                "There are too many requests to Interactive Brokers. Try again later.",
                retry_after_seconds=retry_seconds,
            )
        await asyncio.sleep(wait)
        closed = self._pacer.closed_for(now=clock.monotonic())
        if closed:
            raise _penalty(closed)
        try:
            result = await call(self._gateway)
        except PacedError as exc:
            _REQUESTS.labels(endpoint, "paced").inc()
            self._pacer.close(now=clock.monotonic(), seconds=self._penalty_seconds)
            log.warning(
                "the gateway is receiving too many requests",
                endpoint=endpoint,
                seconds=self._penalty_seconds,
            )
            raise _penalty(self._penalty_seconds) from exc
        except ClusterError:
            _REQUESTS.labels(endpoint, "refused").inc()
            raise
        _REQUESTS.labels(endpoint, "answered").inc()
        return result

    def _refuse_in_trouble(self) -> None:
        if self._trouble is None:
            return
        left = self._trouble.until - clock.monotonic()
        if left > 0:
            raise AwayError(self._trouble.message, retry_after_seconds=left)

    def _troubled(self, message: str) -> AwayError:
        """Reject all requests for a short time, and return the error to raise."""
        if self._trouble is None:
            log.warning("the gateway is unavailable", reason=message)
        pause = next(self._pauses)
        self._trouble = _Trouble(message, clock.monotonic() + pause)
        return AwayError(message, retry_after_seconds=pause)

    def _recover(self) -> None:
        if self._trouble is not None:
            log.info("the gateway is available again")
            self._trouble = None
            self._pauses = _pauses()


class _SessionAwayError(AwayError):
    """There is no working session, and retrying immediately would not help."""


def _penalty(seconds: float) -> AwayError:
    return AwayError(
        "The gateway is receiving too many requests. No requests are sent until the penalty"
        " is over.",
        retry_after_seconds=seconds,
    )


def _pauses() -> Iterator[float]:
    return backoff(first=1.0, ceiling=_TROUBLE_CEILING_SECONDS)


def _session_status(status: AuthStatus, detail: str, *, reachable: bool) -> SessionStatus:
    return SessionStatus(
        reachable=reachable,
        authenticated=status.authenticated,
        connected=status.connected,
        competing=status.competing,
        simulated=status.simulated,
        detail=detail,
        at=clock.now(),
    )
