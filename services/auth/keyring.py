"""API tokens, and whose any token is.

Rule: a token's text leaves this module once, when it is made. No token is logged or counted.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter

from runtime import clock
from runtime.errors import UnavailableError
from runtime.web.problems import Problem
from services.auth import tokens
from services.auth.edges.redis_store import Store
from services.auth.refusals import wrong_field
from services.auth.settings import Settings
from services.peers.auth import SCOPES, ApiToken, MadeToken, Verified

log = structlog.get_logger("auth")

_LAST_USED_SECONDS: Final = 60
_VERIFIED: Final = Counter("auth_verifications_total", "Tokens shown.", ["outcome"])
_TOKENS: Final = Counter("auth_api_tokens_total", "API tokens made and revoked.", ["what"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """An API token as somebody wants it."""

    name: str
    scopes: Sequence[str]
    expires_days: int | None = None


class Keyring:
    """Every method may raise UnavailableError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._api_tokens = store.api_tokens
        self._sessions = store.sessions
        self._most = settings.most_tokens

    async def make(self, who: Verified, wanted: Wanted) -> MadeToken:
        """Make an API token.

        Raises:
            Problem: 422 when a scope is unknown or the account has too many tokens.
        """
        if set(wanted.scopes) - set(SCOPES):
            raise wrong_field("scopes", f"There is no such scope; there are {', '.join(SCOPES)}.")
        made, text = tokens.new_api_token()
        at = clock.now()
        days = wanted.expires_days
        expires = at + timedelta(days=days) if days is not None else None
        told = {
            "account": who.account,
            "email": who.email or "",
            "secret": tokens.digest(made.secret),
            "name": wanted.name,
            "scopes": " ".join(sorted(set(wanted.scopes))),
            "created": str(at.timestamp()),
            "expires": str(expires.timestamp()) if expires else "",
        }
        if not await self._api_tokens.add(
            who.account, made.id, told, at=at.timestamp(), most=self._most
        ):
            raise wrong_field(
                "name", f"An account has {self._most} tokens at most. Revoke one first."
            )
        _TOKENS.labels("made").inc()
        log.info("api token made", account=who.account, id=made.id)
        return MadeToken(**_read(made.id, told).model_dump(), token=text)

    async def of(self, who: Verified) -> list[ApiToken]:
        """The account's API tokens, the newest first."""
        return [_read(*one) for one in await self._api_tokens.of(who.account)]

    async def revoke(self, who: Verified, token_id: str) -> None:
        """Revoke an API token.

        Raises:
            Problem: 404 when the account has none of this id.
        """
        if not await self._api_tokens.revoke(who.account, token_id):
            raise Problem(status=404, title="You have no such token")
        _TOKENS.labels("revoked").inc()
        log.info("api token revoked", account=who.account, id=token_id)

    async def verify(self, text: str) -> Verified | None:
        """Whose a token is; None when it is nobody's or has ended.

        One round trip, and a second when an API token is used for the first time in a minute.
        """
        found = await self._by_api(text) if text.startswith("ssw_") else await self._by_login(text)
        _VERIFIED.labels(found.kind if found else "unknown").inc()
        return found

    async def _by_login(self, text: str) -> Verified | None:
        if not tokens.is_access(text):
            return None
        session = await self._sessions.by_access(tokens.digest(text))
        if session is None:
            return None
        return Verified(
            kind="login",
            account=session.account,
            email=session.email,
            token=session.session,
            scopes=SCOPES,
            expires=clock.now() + timedelta(seconds=max(0, session.seconds_left)),
        )

    async def _by_api(self, text: str) -> Verified | None:
        shown = tokens.parse_api(text)
        if shown is None:
            return None
        told = await self._api_tokens.by_id(shown.id)
        if not told or not tokens.is_same(told["secret"], shown.secret):
            return None
        kept = _read(shown.id, told)
        at = clock.now()
        if kept.expires is not None and kept.expires <= at:
            return None
        if kept.last_used is None or (at - kept.last_used).total_seconds() >= _LAST_USED_SECONDS:
            # A Redis that is full still reads: the token is good, and only the note is missing.
            with suppress(UnavailableError):
                await self._api_tokens.note_use(shown.id, at=at.timestamp())
        return Verified(
            kind="api",
            account=told["account"],
            email=told["email"] or None,
            token=shown.id,
            scopes=kept.scopes,
            expires=kept.expires,
        )


def _read(token_id: str, told: Mapping[str, str]) -> ApiToken:
    def moment(name: str) -> datetime | None:
        said = told.get(name)
        return datetime.fromtimestamp(float(said), UTC) if said else None

    return ApiToken(
        id=token_id,
        name=told["name"],
        scopes=tuple(told["scopes"].split()),
        created=datetime.fromtimestamp(float(told["created"]), UTC),
        expires=moment("expires"),
        last_used=moment("last_used"),
    )
