"""Auth's routes.

Rule: who asks is known by the token he shows and by nothing else; headers such as `X-Account` are
answers of ours, for an ingress to pass on, and never believed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from runtime.web.application import application
from runtime.web.problems import Problem, body_of
from services.auth.doorkeeper import Doorkeeper
from services.auth.edges import redis_store
from services.auth.keyring import Keyring, Wanted
from services.auth.lockout import client_address
from services.auth.settings import Settings
from services.peers.auth import Verified

NAME: Final = "auth"
_NO_STORE: Final = {"Cache-Control": "no-store"}
Text = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Credentials(_Body):
    """Who signs up or logs in."""

    email: Text
    password: Text


class Refresh(_Body):
    """A refresh token."""

    refresh: Text


class PasswordChange(_Body):
    """The old password and the new one."""

    old: Text
    new: Text


class TokenWanted(_Body):
    """An API token to be made."""

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
    """The application with its connection to Redis."""
    async with redis_store.opened(settings) as store:
        app = application(NAME, settings=settings, checks={"redis": store.check})
        _Routes(Doorkeeper(store, settings), Keyring(store, settings), settings).add_to(app)
        yield app


class _Routes:
    def __init__(self, door: Doorkeeper, keyring: Keyring, settings: Settings) -> None:
        self._door = door
        self._keyring = keyring
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
        asked = await body_of(request, Credentials)
        made = await self._door.sign_up(asked.email, asked.password, client=self._client(request))
        return _told(made, status=201)

    async def login(self, request: web.Request) -> web.Response:
        asked = await body_of(request, Credentials)
        login = await self._door.login(asked.email, asked.password, client=self._client(request))
        return _told(login)

    async def refresh(self, request: web.Request) -> web.Response:
        return _told(await self._door.refresh((await body_of(request, Refresh)).refresh))

    async def logout(self, request: web.Request) -> web.Response:
        await self._door.logout((await body_of(request, Refresh)).refresh)
        return web.Response(status=204)

    async def logout_all(self, _request: web.Request, who: Verified) -> web.Response:
        await self._door.logout_all(who)
        return web.Response(status=204)

    async def password(self, request: web.Request, who: Verified) -> web.Response:
        asked = await body_of(request, PasswordChange)
        await self._door.change_password(who, old=asked.old, new=asked.new)
        return web.Response(status=204)

    async def me(self, _request: web.Request, who: Verified) -> web.Response:
        return _told(await self._door.me(who))

    async def make_token(self, request: web.Request, who: Verified) -> web.Response:
        asked = await body_of(request, TokenWanted)
        wanted = Wanted(asked.name, asked.scopes, asked.expires_days)
        return _told(await self._keyring.make(who, wanted), status=201)

    async def tokens(self, _request: web.Request, who: Verified) -> web.Response:
        found = [one.model_dump(mode="json") for one in await self._keyring.of(who)]
        return web.json_response({"tokens": found}, headers=_NO_STORE)

    async def revoke(self, request: web.Request, who: Verified) -> web.Response:
        await self._keyring.revoke(who, request.match_info["id"])
        return web.Response(status=204)

    async def verify(self, request: web.Request) -> web.Response:
        """Whose a token is: for other services, and for the ingress's forwardAuth."""
        who = await self._who(request)
        scope = request.query.get("scope")
        if scope and scope not in who.scopes:
            raise Problem(
                status=403,
                title="The token does not allow this",
                headers={"WWW-Authenticate": 'Bearer realm="auth", error="insufficient_scope"'},
            )
        answer = _told(who)
        answer.headers.update(
            {
                "X-Account": who.account,
                "X-Token-Id": who.token,
                "X-Token-Kind": who.kind,
                "X-Scopes": " ".join(who.scopes),
            }
        )
        return answer

    def _by_login(
        self, handler: Callable[[web.Request, Verified], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            who = await self._who(request)
            # A program's token reads data. It must not make tokens or change the password.
            if who.kind != "login":
                raise Problem(status=403, title="This needs a login, not an API token")
            return await handler(request, who)

        return handle

    async def _who(self, request: web.Request) -> Verified:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        who = None
        if kind.lower() == "bearer" and token.strip():
            who = await self._keyring.verify(token.strip())
        if who is None:
            raise Problem(
                status=401,
                title="A token is needed",
                detail="Send one that is good: `Authorization: Bearer <token>`.",
                headers={"WWW-Authenticate": 'Bearer realm="auth"'},
            )
        return who

    def _client(self, request: web.Request) -> str | None:
        # Two lines of a header are one: a proxy may have added a line where it found one.
        forwarded = ", ".join(request.headers.getall("X-Forwarded-For", ()))
        return client_address(request.remote, forwarded, self._settings.trusted_proxies)


def _told(model: BaseModel, *, status: int = 200) -> web.Response:
    return web.Response(
        text=model.model_dump_json(),
        status=status,
        content_type="application/json",
        headers=_NO_STORE,
    )
