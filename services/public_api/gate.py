"""Whose call it is: auth is asked, and believed for a few seconds.

Rule: a token that auth has not vouched for is never let in. While auth is away, those it vouched
for lately are, and their answers say so.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from runtime import clock
from runtime.errors import RefusedError, UnavailableError
from runtime.web.problems import Problem
from services.peers.auth import Auth, Verified
from services.public_api.known import Known, KnownTokens, Mark, mark

log = structlog.get_logger("gate")

_LONGEST_TOKEN: Final = 4096
_LET_BE_SECONDS: Final = 1.0
"""How long auth is let be after it did not answer: else every call waits for its time-out."""
_PATIENCE_SECONDS: Final = 1.0
"""How long auth may take over a token that is remembered: a call is not delayed for more."""
_RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and whether that is remembered because auth is away."""

    who: Verified
    is_remembered: bool = False


class Gate:
    """Lets calls in by their `Authorization` header."""

    def __init__(self, auth: Auth, *, cache_seconds: float, stale_seconds: float) -> None:
        self._auth = auth
        self._cache = cache_seconds
        self._stale = stale_seconds
        self._known = KnownTokens()
        self._asked: dict[Mark, asyncio.Task[Verified | None]] = {}
        self._is_away = False
        self._away_until = 0.0

    async def admit(self, authorization: str | None) -> Caller:
        """Who the header's token is.

        Raises:
            Problem: 401 when it is nobody's, 503 when auth is away and it was not known before.
        """
        token = _bearer(authorization)
        of = mark(token)
        at = clock.monotonic()
        known = self._known.find(of, at=at, now=clock.now())
        if known is not None and known.age_seconds <= self._cache:
            return Caller(known.who)
        if at < self._away_until:
            return self._remembered(known)
        is_remembered = known is not None and known.age_seconds <= self._stale
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS if is_remembered else None):
                who = await self._ask(token, of)
        except (UnavailableError, TimeoutError) as exc:
            if not self._is_away:
                log.warning("auth is away", reason=str(exc) or "it does not answer in time")
            self._is_away = True
            self._away_until = clock.monotonic() + _LET_BE_SECONDS
            return self._remembered(known)
        except RefusedError:
            # Too many asked, say. That is of this call: auth is there for the others.
            return self._remembered(known)
        if self._is_away:
            log.info("auth is back")
            self._is_away = False
        if who is None:
            raise unauthorized("invalid_token", "The token is unknown, has ended or was revoked.")
        return Caller(who)

    async def _ask(self, token: str, of: Mark) -> Verified | None:
        """Ask auth, once for all calls that wait for the same token's answer."""
        asked = self._asked.get(of)
        if asked is None:
            asked = asyncio.create_task(self._verify(token, of), name="verify a token")
            self._asked[of] = asked
            asked.add_done_callback(lambda task: self._answered(of, task))
        # The first to ask may be gone before the answer is there; the others want it still.
        return await asyncio.shield(asked)

    def _answered(self, of: Mark, task: "asyncio.Task[Verified | None]") -> None:
        del self._asked[of]
        # Looked at here too: all who asked may have gone.
        if not task.cancelled():
            task.exception()

    async def _verify(self, token: str, of: Mark) -> Verified | None:
        # What is kept is as old as the question: a revocation in between is not missed.
        at = clock.monotonic()
        who = await self._auth.verify(token)
        if who is None or _has_ended(who, clock.now()):
            self._known.forget(of)
            return None
        self._known.keep(of, who, at=at)
        return who

    def _remembered(self, known: Known | None) -> Caller:
        if known is not None and known.age_seconds <= self._stale:
            return Caller(known.who, is_remembered=True)
        raise Problem(
            status=503,
            title="Tokens cannot be checked now",
            detail="The service that knows the tokens is away. Try again in a few seconds.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )


def unauthorized(error: str, detail: str) -> Problem:
    """The answer to a call without a good token (RFC 6750)."""
    challenge = 'Bearer realm="public_api"' + (f', error="{error}"' if error else "")
    return Problem(
        status=401,
        title="A token is needed",
        detail=detail,
        headers={"WWW-Authenticate": challenge},
    )


def _bearer(authorization: str | None) -> str:
    kind, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise unauthorized("", "Send an API token: `Authorization: Bearer <token>`.")
    if len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise unauthorized("invalid_token", "That is no token of ours.")
    return token


def _has_ended(who: Verified, now: datetime) -> bool:
    return who.expires is not None and who.expires <= now
