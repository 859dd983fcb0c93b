"""Creates, lists and revokes API tokens, and identifies the owner of any token.

Rule: an API token is returned only once, when it is created. Tokens never appear in logs or
metrics.
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
_VERIFIED: Final = Counter(
    "auth_verifications_total", "Verifications of tokens, by outcome.", ["outcome"]
)
_TOKENS: Final = Counter("auth_api_tokens_total", "API tokens created and revoked.", ["what"])


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """The requested name, scopes and lifetime of a new API token."""

    name: str
    scopes: Sequence[str]
    expires_days: int | None = None


class TokenRegistry:
    """Manages and verifies tokens. Every method may raise UnavailableError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._api_tokens = store.api_tokens
        self._sessions = store.sessions
        self._most = settings.most_tokens

    async def make(self, caller: Verified, request: TokenRequest) -> MadeToken:
        """Create an API token.

        Raises:
            Problem: with status 422 if a scope is unknown or the account has too many tokens.
        """
        if set(request.scopes) - set(SCOPES):
            raise wrong_field("scopes", f"Unknown scope. The valid scopes are {', '.join(SCOPES)}.")
        token, text = tokens.new_api_token()
        at = clock.now()
        days = request.expires_days
        expires = at + timedelta(days=days) if days is not None else None
        fields = {
            "account": caller.account,
            "email": caller.email or "",
            "secret": tokens.digest(token.secret),
            "name": request.name,
            "scopes": " ".join(sorted(set(request.scopes))),
            "created": str(at.timestamp()),
            "expires": str(expires.timestamp()) if expires else "",
        }
        if not await self._api_tokens.add(
            caller.account, token.id, fields, at=at.timestamp(), most=self._most
        ):
            raise wrong_field(
                "name", f"An account can have at most {self._most} tokens. Revoke a token first."
            )
        _TOKENS.labels("made").inc()
        log.info("API token created", account=caller.account, id=token.id)
        return MadeToken(**_read(token.id, fields).model_dump(), token=text)

    async def of(self, caller: Verified) -> list[ApiToken]:
        """Return the account's API tokens, newest first."""
        tokens_fields = await self._api_tokens.of(caller.account)
        return [_read(token_id, fields) for token_id, fields in tokens_fields]

    async def revoke(self, caller: Verified, token_id: str) -> None:
        """Revoke an API token.

        Raises:
            Problem: with status 404 if the account has no token with this id.
        """
        if not await self._api_tokens.revoke(caller.account, token_id):
            raise Problem(status=404, title="You have no such token")
        _TOKENS.labels("revoked").inc()
        log.info("API token revoked", account=caller.account, id=token_id)

    async def verify(self, text: str) -> Verified | None:
        """Return the token's owner and scopes, or None if the token is unknown or has expired.

        This takes one round trip to Redis, or two for an API token that has not been used in the
        last minute.
        """
        verified = (
            await self._by_api(text) if text.startswith("ssw_") else await self._by_login(text)
        )
        _VERIFIED.labels(verified.kind if verified else "unknown").inc()
        return verified

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
        parts = tokens.parse_api(text)
        if parts is None:
            return None
        fields = await self._api_tokens.by_id(parts.id)
        if not fields or not tokens.is_same(fields["secret"], parts.secret):
            return None
        token = _read(parts.id, fields)
        at = clock.now()
        if token.expires is not None and token.expires <= at:
            return None
        if token.last_used is None or (at - token.last_used).total_seconds() >= _LAST_USED_SECONDS:
            # Redis may be full and accept only reads: the token is still valid.
            with suppress(UnavailableError):
                await self._api_tokens.note_use(parts.id, at=at.timestamp())
        return Verified(
            kind="api",
            account=fields["account"],
            email=fields["email"] or None,
            token=parts.id,
            scopes=token.scopes,
            expires=token.expires,
        )


def _read(token_id: str, fields: Mapping[str, str]) -> ApiToken:
    def moment(name: str) -> datetime | None:
        timestamp = fields.get(name)
        return datetime.fromtimestamp(float(timestamp), UTC) if timestamp else None

    return ApiToken(
        id=token_id,
        name=fields["name"],
        scopes=tuple(fields["scopes"].split()),
        created=datetime.fromtimestamp(float(fields["created"]), UTC),
        expires=moment("expires"),
        last_used=moment("last_used"),
    )
