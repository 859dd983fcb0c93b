"""Identifies API callers by tokens that the auth service has verified.

Verification results are reused for a few seconds. While auth is unavailable, recently verified
tokens are still accepted, and the responses have the header `Degraded: auth`. Rule: never accept a
token that auth has not verified.
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
from services.public_api.verified_tokens import TokenHash, Verification, VerifiedTokens, token_hash

log = structlog.get_logger("public_api")

_LONGEST_TOKEN: Final = 4096
_PAUSE_SECONDS: Final = 1.0
"""How long auth is not called after a failure, so that most calls do not have to wait."""
_RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Caller:
    """An API caller, identified by a token.

    `is_remembered` is true if auth was unavailable and an earlier verification was used instead.
    """

    identity: Verified
    is_remembered: bool = False


class Authenticator:
    """Identifies API callers by their `Authorization` header."""

    def __init__(
        self, auth: Auth, *, cache_seconds: float, stale_seconds: float, patience_seconds: float
    ) -> None:
        self._auth = auth
        self._cache = cache_seconds
        self._stale = stale_seconds
        self._patience = patience_seconds
        self._verified = VerifiedTokens()
        self._requests: dict[TokenHash, asyncio.Task[Verified | None]] = {}
        self._is_away = False
        self._away_until = 0.0

    async def authenticate(self, authorization: str | None) -> Caller:
        """Return the caller whose token is in the header.

        Raises:
            Problem: with status 401 if the token is invalid, or 503 if auth is unavailable and
                the token was not verified recently.
        """
        token = _bearer(authorization)
        key = token_hash(token)
        at = clock.monotonic()
        verification = self._verified.find(key, at=at, now=clock.now())
        if verification is not None and verification.age_seconds <= self._cache:
            return Caller(verification.identity)
        if at < self._away_until:
            return self._remembered(verification)
        is_recent = verification is not None and verification.age_seconds <= self._stale
        try:
            async with asyncio.timeout(self._patience if is_recent else None):
                identity = await self._ask(token, key)
        except (UnavailableError, TimeoutError) as exc:
            if not self._is_away:
                log.warning(
                    "auth is unavailable", reason=str(exc) or "auth did not respond in time"
                )
            self._is_away = True
            self._away_until = clock.monotonic() + _PAUSE_SECONDS
            return self._remembered(verification)
        except RefusedError:
            # auth rejected only this call, for example because of too many requests.
            return self._remembered(verification)
        if self._is_away:
            log.info("auth is available again")
            self._is_away = False
        if identity is None:
            raise unauthorized("invalid_token", "The token is unknown, has expired or was revoked.")
        return Caller(identity)

    async def _ask(self, token: str, key: TokenHash) -> Verified | None:
        """Verify a token. Simultaneous calls with the same token share one request to auth."""
        request = self._requests.get(key)
        if request is None:
            request = asyncio.create_task(self._verify(token, key), name="verify a token")
            self._requests[key] = request
            request.add_done_callback(lambda task: self._answered(key, task))
        # The first caller may disconnect early; other callers still need the response.
        return await asyncio.shield(request)

    def _answered(self, key: TokenHash, task: "asyncio.Task[Verified | None]") -> None:
        del self._requests[key]
        # If every caller has disconnected, nothing else retrieves the exception.
        if not task.cancelled():
            task.exception()

    async def _verify(self, token: str, key: TokenHash) -> Verified | None:
        # Measure the age from the start, because the token may be revoked during the request.
        at = clock.monotonic()
        identity = await self._auth.verify(token)
        if identity is None or _has_ended(identity, clock.now()):
            self._verified.forget(key)
            return None
        self._verified.keep(key, identity, at=at)
        return identity

    def _remembered(self, verification: Verification | None) -> Caller:
        if verification is not None and verification.age_seconds <= self._stale:
            return Caller(verification.identity, is_remembered=True)
        raise Problem(
            status=503,
            title="Tokens cannot be verified at the moment",
            detail="The sign-in service is unavailable. Try again in a few seconds.",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )


def unauthorized(error: str, detail: str) -> Problem:
    """Return the 401 response for a call without a valid token (RFC 6750)."""
    challenge = 'Bearer realm="public_api"' + (f', error="{error}"' if error else "")
    return Problem(
        status=401,
        title="A valid token is required",
        detail=detail,
        headers={"WWW-Authenticate": challenge},
    )


def _bearer(authorization: str | None) -> str:
    kind, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise unauthorized("", "Send an API token in the header `Authorization: Bearer <token>`.")
    if len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise unauthorized("invalid_token", "The token has an invalid format.")
    return token


def _has_ended(identity: Verified, now: datetime) -> bool:
    return identity.expires is not None and identity.expires <= now
