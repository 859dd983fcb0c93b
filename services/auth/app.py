"""The HTTP routes of auth, the sign-in service.

Rule: only a caller's token identifies the caller. Responses contain headers such as `X-Account`,
which the ingress passes on to other services. Auth ignores these headers in requests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from runtime.web.application import application
from runtime.web.problems import Problem, body_of
from services.auth.edges import redis_store
from services.auth.lockout import client_address
from services.auth.logins import Logins
from services.auth.settings import Settings
from services.auth.token_registry import TokenRegistry, TokenRequest
from services.peers.auth import Verified

NAME: Final = "auth"
_NO_STORE: Final = {"Cache-Control": "no-store"}
Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Credentials(_Body):
    """The body of a sign-up or login request."""

    email: Text
    password: Text


class Refresh(_Body):
    """The body of a request to renew or end a login."""

    refresh: Text


class NewPassword(_Body):
    """The body of a request to change a password."""

    old: Text
    new: Text


class NewToken(_Body):
    """The body of a request to create an API token."""

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\p{Cc}]*$"
        ),
    ]
    scopes: Annotated[tuple[Text, ...], Field(min_length=1, max_length=20)]
    expires_days: Annotated[int, Field(ge=1, le=3650)] | None = None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[web.Application]:
    """Yield the application, and close its Redis connections on exit."""
    async with redis_store.opened(settings) as store:
        app = application(NAME, settings=settings, checks={"redis": store.check})
        _Routes(Logins(store, settings), TokenRegistry(store, settings), settings).add_to(app)
        yield app


class _Routes:
    def __init__(self, logins: Logins, tokens: TokenRegistry, settings: Settings) -> None:
        self._logins = logins
        self._tokens = tokens
        self._settings = settings

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/accounts", self.sign_up)
        app.router.add_post("/login", self.login)
        app.router.add_post("/refresh", self.refresh)
        app.router.add_post("/logout", self.logout)
        app.router.add_post("/logout-all", self._by_login(self.logout_all))
        app.router.add_post("/password", self._by_login(self.password))
        app.router.add_get("/me", self._by_login(self.me))
        app.router.add_post("/api-tokens", self._by_login(self.make_token))
        app.router.add_get("/api-tokens", self._by_login(self.tokens))
        app.router.add_delete("/api-tokens/{id}", self._by_login(self.revoke))
        app.router.add_get("/verify", self.verify)

    async def sign_up(self, request: web.Request) -> web.Response:
        body = await body_of(request, Credentials)
        account = await self._logins.sign_up(
            body.email, body.password, client=self._client(request)
        )
        return _answer(account, status=201)

    async def login(self, request: web.Request) -> web.Response:
        body = await body_of(request, Credentials)
        login = await self._logins.login(body.email, body.password, client=self._client(request))
        return _answer(login)

    async def refresh(self, request: web.Request) -> web.Response:
        return _answer(await self._logins.refresh((await body_of(request, Refresh)).refresh))

    async def logout(self, request: web.Request) -> web.Response:
        await self._logins.logout((await body_of(request, Refresh)).refresh)
        return web.Response(status=204)

    async def logout_all(self, _request: web.Request, caller: Verified) -> web.Response:
        await self._logins.logout_all(caller)
        return web.Response(status=204)

    async def password(self, request: web.Request, caller: Verified) -> web.Response:
        body = await body_of(request, NewPassword)
        await self._logins.change_password(caller, old=body.old, new=body.new)
        return web.Response(status=204)

    async def me(self, _request: web.Request, caller: Verified) -> web.Response:
        return _answer(await self._logins.me(caller))

    async def make_token(self, request: web.Request, caller: Verified) -> web.Response:
        body = await body_of(request, NewToken)
        token = TokenRequest(body.name, body.scopes, body.expires_days)
        return _answer(await self._tokens.make(caller, token), status=201)

    async def tokens(self, _request: web.Request, caller: Verified) -> web.Response:
        tokens = [token.model_dump(mode="json") for token in await self._tokens.of(caller)]
        return web.json_response({"tokens": tokens}, headers=_NO_STORE)

    async def revoke(self, request: web.Request, caller: Verified) -> web.Response:
        await self._tokens.revoke(caller, request.match_info["id"])
        return web.Response(status=204)

    async def verify(self, request: web.Request) -> web.Response:
        """Identify a token's owner for other services, and for `forwardAuth` in the ingress."""
        caller = await self._caller(request)
        scope = request.query.get("scope")
        if scope and scope not in caller.scopes:
            raise Problem(
                status=403,
                title="The token does not have the required scope",
                headers={"WWW-Authenticate": 'Bearer realm="auth", error="insufficient_scope"'},
            )
        answer = _answer(caller)
        answer.headers.update(
            {
                "X-Account": caller.account,
                "X-Token-Id": caller.token,
                "X-Token-Kind": caller.kind,
                "X-Scopes": " ".join(caller.scopes),
            }
        )
        return answer

    def _by_login(
        self, handler: Callable[[web.Request, Verified], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            caller = await self._caller(request)
            # An API token reads data. It must not create tokens or change the password.
            if caller.kind != "login":
                raise Problem(
                    status=403, title="This request requires a login; API tokens are not accepted"
                )
            return await handler(request, caller)

        return handle

    async def _caller(self, request: web.Request) -> Verified:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        caller = None
        if kind.lower() == "bearer" and token.strip():
            caller = await self._tokens.verify(token.strip())
        if caller is None:
            raise Problem(
                status=401,
                title="A valid token is required",
                detail="Send a token in the header: `Authorization: Bearer <token>`.",
                headers={"WWW-Authenticate": 'Bearer realm="auth"'},
            )
        return caller

    def _client(self, request: web.Request) -> str | None:
        # Join repeated headers into one list: a proxy may add its own header line.
        forwarded = ", ".join(request.headers.getall("X-Forwarded-For", ()))
        return client_address(request.remote, forwarded, self._settings.trusted_proxies)


def _answer(model: BaseModel, *, status: int = 200) -> web.Response:
    return web.Response(
        text=model.model_dump_json(),
        status=status,
        content_type="application/json",
        headers=_NO_STORE,
    )
