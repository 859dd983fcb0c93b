"""A client for the auth service: accounts, logins, API tokens and token verification.

Rule: an error's class determines what the caller should do. Error messages never contain tokens or
passwords.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

SCOPES: Final = ("news:read", "sentiment:read", "quotes:read", "usage:read")
"""All scopes. A login has all of them."""
_DEFAULT_WAIT: Final = 30
_SECONDS: Final = re.compile(r"[0-9]{1,6}")

M = TypeVar("M", bound=BaseModel)


class InvalidError(RefusedError):
    """A field is invalid. The message is meant for the person who filled in the form."""


class TakenError(RefusedError):
    """An account with this e-mail address already exists."""


class RateLimitedError(RefusedError):
    """There were too many attempts. Try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Account(_Answer):
    """A user's account."""

    account: str
    email: str
    created: datetime | None = None


class Login(_Answer):
    """A login and its two tokens.

    The `access` token gives full access to the account until the token expires. The `refresh` token
    can be exchanged once for a renewed login with new tokens.
    """

    account: str
    email: str
    access: str
    access_expires: datetime
    refresh: str
    refresh_expires: datetime

    def __repr__(self) -> str:
        return f"Login(account={self.account!r})"


class ApiToken(_Answer):
    """An API token, without its secret text."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None


class MadeToken(ApiToken):
    """A new API token with its secret text. The text cannot be retrieved again."""

    token: str

    def __repr__(self) -> str:
        return f"MadeToken(id={self.id!r})"


class Verified(_Answer):
    """The owner of a valid token, and the scopes that the token grants."""

    kind: Literal["login", "api"]
    account: str
    email: str | None = None
    token: str
    """The token's id, which is not secret."""
    scopes: tuple[str, ...]
    expires: datetime | None = None


class _Tokens(_Answer):
    tokens: tuple[ApiToken, ...]


class Auth:
    """A client for auth's HTTP API.

    The methods raise UnavailableError if auth is unavailable or overloaded, and RefusedError if
    auth rejects the request.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def sign_up(self, email: str, password: str, *, client: str | None = None) -> Account:
        """Create an account. `client` is the visitor's IP address.

        Raises:
            TakenError: if an account with this e-mail address already exists.
            InvalidError: if the e-mail address or the password is not acceptable.
        """
        body = {"email": email, "password": password}
        return await self._model(Account, "POST", "/accounts", body=body, client=client)

    async def login(self, email: str, password: str, *, client: str | None = None) -> Login:
        """Log in. `client` is the visitor's IP address.

        Raises:
            RateLimitedError: if there were too many attempts.
            RefusedError: if the e-mail address or the password is wrong.
        """
        body = {"email": email, "password": password}
        return await self._model(Login, "POST", "/login", body=body, client=client)

    async def refresh(self, refresh: str) -> Login:
        """Exchange a refresh token for a renewed login with new tokens.

        Raises:
            RefusedError: if the token is invalid or has already been used.
        """
        return await self._model(Login, "POST", "/refresh", body={"refresh": refresh})

    async def logout(self, refresh: str) -> None:
        """End the login that this refresh token belongs to."""
        await self._ask("POST", "/logout", body={"refresh": refresh})

    async def logout_all(self, access: str) -> None:
        """End all of the account's logins."""
        await self._ask("POST", "/logout-all", token=access)

    async def change_password(self, access: str, *, old: str, new: str) -> None:
        """Change the account's password and log the account out everywhere else.

        Raises:
            RefusedError: if the old password is wrong.
        """
        await self._ask("POST", "/password", token=access, body={"old": old, "new": new})

    async def me(self, access: str) -> Account:
        """Return the account that the access token belongs to."""
        return await self._model(Account, "GET", "/me", token=access)

    async def make_token(
        self,
        access: str,
        *,
        name: str,
        scopes: Sequence[str],
        expires_days: int | None = None,
    ) -> MadeToken:
        """Create an API token. Its secret text cannot be retrieved later."""
        body = {"name": name, "scopes": list(scopes), "expires_days": expires_days}
        return await self._model(MadeToken, "POST", "/api-tokens", token=access, body=body)

    async def tokens(self, access: str) -> Sequence[ApiToken]:
        """Return the account's API tokens, newest first."""
        return (await self._model(_Tokens, "GET", "/api-tokens", token=access)).tokens

    async def revoke(self, access: str, token_id: str) -> None:
        """Revoke an API token.

        Raises:
            GoneError: if the account has no token with this id.
        """
        await self._ask("DELETE", f"/api-tokens/{quote(token_id, safe='')}", token=access)

    async def verify(self, token: str, *, scope: str | None = None) -> Verified | None:
        """Return the token's owner and scopes, or None if the token is invalid or lacks `scope`."""
        query = {"scope": scope} if scope else None
        try:
            return await self._model(Verified, "GET", "/verify", token=token, query=query)
        except RateLimitedError:
            raise
        except RefusedError:
            return None

    async def check(self) -> str | None:
        """Readiness check: return None if auth and its store respond, otherwise the problem."""
        try:
            readiness = await self._ask("GET", "/health/ready")
        except ClusterError as exc:
            return str(exc)
        return None if readiness.get("status") == "ok" else "auth is degraded"

    async def _model(self, model: type[M], method: str, path: str, **request: Any) -> M:
        try:
            return model.model_validate(await self._ask(method, path, **request))
        except ValidationError as exc:
            raise UnavailableError(
                f"{method} {path}: auth's response has an unexpected format"
            ) from exc

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
                content = await answer.read()
                status, wait = answer.status, answer.headers.get("Retry-After", "")
        # No valid header can contain the token, so auth cannot have issued it.
        except ValueError as exc:
            raise RefusedError(f"{route}: the token was not issued by auth") from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise UnavailableError(f"{route}: auth did not respond") from exc
        if status == 204:
            return {}
        document = _object(content)
        if status >= 400:
            raise _error(status, wait, route, document or {})
        if document is None:
            raise UnavailableError(f"{route}: auth's response is not a JSON object")
        return document


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _error(status: int, wait: str, route: str, problem: Mapping[str, Any]) -> ClusterError:
    message = str(problem.get("detail") or problem.get("title") or route)
    match status:
        case 409:
            return TakenError(message)
        case 400 | 422:
            return InvalidError(message)
        case 429:
            return RateLimitedError(
                message, int(wait) if _SECONDS.fullmatch(wait) else _DEFAULT_WAIT
            )
        case 404:
            return GoneError(message)
        case _ if status >= 500:
            return UnavailableError(f"{route}: auth returned {status}")
        case _:
            return RefusedError(message)
