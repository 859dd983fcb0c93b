"""The client of auth: accounts, logins, API tokens, and whose a token is.

Rule: what it cannot do is said by what the caller can do about it. A token or a password is never
part of an error.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

SCOPES: Final = ("news:read", "sentiment:read", "quotes:read", "usage:read")
"""All there are; a login has every one."""
_DEFAULT_WAIT: Final = 30

M = TypeVar("M", bound=BaseModel)


class InvalidError(RefusedError):
    """A field is wrong; the message is for the person who filled it in."""


class TakenError(RefusedError):
    """There is an account with this e-mail address."""


class RateLimitedError(RefusedError):
    """Too many tries; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Account(_Said):
    """An account."""

    account: str
    email: str
    created: datetime | None = None


class Login(_Said):
    """A login: `access` opens everything until it ends, `refresh` gets the next one, once."""

    account: str
    email: str
    access: str
    access_expires: datetime
    refresh: str
    refresh_expires: datetime

    def __repr__(self) -> str:
        return f"Login(account={self.account!r})"


class ApiToken(_Said):
    """An API token without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None


class MadeToken(ApiToken):
    """An API token just made, with what cannot be had again."""

    token: str

    def __repr__(self) -> str:
        return f"MadeToken(id={self.id!r})"


class Verified(_Said):
    """Whose a token is, and what it may."""

    kind: Literal["login", "api"]
    account: str
    email: str | None = None
    token: str
    """The token's id, which is no secret."""
    scopes: tuple[str, ...]
    expires: datetime | None = None


class _Tokens(_Said):
    tokens: tuple[ApiToken, ...]


class Auth:
    """Auth's HTTP API.

    Every method raises UnavailableError when auth is away or busy, RefusedError when it says no.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def sign_up(self, email: str, password: str, *, client: str | None = None) -> Account:
        """Make an account; `client` is the address of who asks.

        Raises:
            TakenError: there is one.
            InvalidError: says what is wrong with address or password.
        """
        body = {"email": email, "password": password}
        return await self._model(Account, "POST", "/accounts", body=body, client=client)

    async def login(self, email: str, password: str, *, client: str | None = None) -> Login:
        """Log in; RefusedError for a wrong pair, RateLimitedError after too many."""
        body = {"email": email, "password": password}
        return await self._model(Login, "POST", "/login", body=body, client=client)

    async def refresh(self, refresh: str) -> Login:
        """The next login; the refresh token is used up. RefusedError when it was already."""
        return await self._model(Login, "POST", "/refresh", body={"refresh": refresh})

    async def logout(self, refresh: str) -> None:
        """End a login."""
        await self._ask("POST", "/logout", body={"refresh": refresh})

    async def logout_all(self, access: str) -> None:
        """End every login of the account."""
        await self._ask("POST", "/logout-all", token=access)

    async def change_password(self, access: str, *, old: str, new: str) -> None:
        """Change the password, which ends every other login; RefusedError: `old` is wrong."""
        await self._ask("POST", "/password", token=access, body={"old": old, "new": new})

    async def me(self, access: str) -> Account:
        """The account of a login."""
        return await self._model(Account, "GET", "/me", token=access)

    async def make_token(
        self,
        access: str,
        *,
        name: str,
        scopes: Sequence[str],
        expires_days: int | None = None,
    ) -> MadeToken:
        """Make an API token; its text is told now and never again."""
        body = {"name": name, "scopes": list(scopes), "expires_days": expires_days}
        return await self._model(MadeToken, "POST", "/api-tokens", token=access, body=body)

    async def tokens(self, access: str) -> Sequence[ApiToken]:
        """The account's API tokens, the newest first."""
        return (await self._model(_Tokens, "GET", "/api-tokens", token=access)).tokens

    async def revoke(self, access: str, token_id: str) -> None:
        """Revoke an API token; GoneError when there is none of this id."""
        await self._ask("DELETE", f"/api-tokens/{quote(token_id, safe='')}", token=access)

    async def verify(self, token: str, *, scope: str | None = None) -> Verified | None:
        """Whose a token is; None when it is nobody's or lacks the scope."""
        query = {"scope": scope} if scope else None
        try:
            return await self._model(Verified, "GET", "/verify", token=token, query=query)
        except RateLimitedError:
            raise
        except RefusedError:
            return None

    async def check(self) -> str | None:
        """None when auth and its store answer, else a sentence: for a service's readiness."""
        try:
            told = await self._ask("GET", "/health/ready")
        except ClusterError as exc:
            return str(exc)
        return None if told.get("status") == "ok" else "auth is degraded"

    async def _model(self, model: type[M], method: str, path: str, **asked: Any) -> M:
        try:
            return model.model_validate(await self._ask(method, path, **asked))
        except ValidationError as exc:
            raise UnavailableError(f"{method} {path}: auth's answer is not understood") from exc

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        query: Mapping[str, str] | None = None,
        client: str | None = None,
    ) -> dict[str, Any]:
        route = f"{method} {path.split('/')[1]}"
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if client is not None:
            headers["X-Forwarded-For"] = client
        try:
            async with self._session.request(
                method, self._url + path, json=body, params=query, headers=headers
            ) as answer:
                told = await answer.json(content_type=None) if answer.status != 204 else {}
                status, wait = answer.status, answer.headers.get("Retry-After", "")
        # A token that cannot be a header's value is one that auth does not know.
        except ValueError as exc:
            raise RefusedError(f"{route}: auth cannot be asked that") from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UnavailableError(f"{route}: auth does not answer") from exc
        if status < 400:
            return told if isinstance(told, dict) else {}
        raise _error(status, wait, route, told if isinstance(told, dict) else {})


def _error(status: int, wait: str, route: str, told: Mapping[str, Any]) -> ClusterError:
    said = str(told.get("detail") or told.get("title") or route)
    match status:
        case 409:
            return TakenError(said)
        case 400 | 422:
            return InvalidError(said)
        case 429:
            return RateLimitedError(said, int(wait) if wait.isdigit() else _DEFAULT_WAIT)
        case 404:
            return GoneError(said)
        case _ if status >= 500:
            return UnavailableError(f"{route}: auth answers {status}")
        case _:
            return RefusedError(said)
