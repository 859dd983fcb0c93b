"""Identifies the visitor by sending the login cookie to the sign-in service, once per request.

Rules: only the sign-in service verifies logins. While the service is unavailable, recently
verified visitors can still read pages. Login cookies are deleted only at sign-out or if the service
rejects them. Signing in or out creates a new CSRF nonce, which replaces any nonce that an attacker
has set.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web

from runtime import clock
from runtime.errors import RefusedError, UnavailableError
from services.peers.auth import Auth, Login, RateLimitedError
from services.webservice.visitor import csrf
from services.webservice.visitor.cookies import Jar
from services.webservice.visitor.renewals import Renewals
from services.webservice.visitor.verified_logins import Identity, VerifiedLogins


@dataclass(frozen=True, slots=True)
class Viewer:
    """A visitor who is signed in."""

    account: str
    email: str
    access: str = field(repr=False)
    is_stale: bool = False
    """The login could not be verified because the sign-in service is unavailable. A recently
    verified visitor may read, but not change anything."""


@dataclass(slots=True)
class Visit:
    """The visitor who sent a request, and the changes to the browser's cookies."""

    viewer: Viewer | None = None
    is_away: bool = False
    """The browser has login cookies, but the sign-in service does not respond."""
    nonce: str = field(default="", repr=False)
    is_nonce_new: bool = False
    login: Login | None = None
    is_leaving: bool = False

    @property
    def account(self) -> str:
        """Return the account id for CSRF tokens, or "" if nobody is signed in."""
        return self.viewer.account if self.viewer else ""


_VISIT: Final = web.RequestKey("site.visit", Visit)


class Sessions:
    """Identifies visitors and caches the results in memory, so a restart clears the cache."""

    def __init__(self, auth: Auth, jar: Jar, *, stale_seconds: float) -> None:
        self._auth = auth
        self._jar = jar
        self._renewals = Renewals[Login](auth.refresh)
        self._verified = VerifiedLogins(seconds=stale_seconds)

    async def visit(self, request: web.Request) -> Visit:
        """Return the visit for a request. The visitor is identified only once per request."""
        visit = request.get(_VISIT)
        if visit is None:
            visit = request[_VISIT] = await self._identify(request)
            nonce = self._jar.value(request, self._jar.nonce)
            visit.nonce = nonce if csrf.is_nonce(nonce) else csrf.new_nonce()
            visit.is_nonce_new = visit.nonce != nonce
        return visit

    def sign_in(self, request: web.Request, login: Login) -> None:
        """In the response to this request, set the cookies for `login` and a new nonce."""
        visit = Visit(self._viewer(login), nonce=csrf.new_nonce(), is_nonce_new=True, login=login)
        request[_VISIT] = visit

    def sign_out(self, request: web.Request) -> None:
        """In the response to this request, delete the login cookies and set a new nonce."""
        self._verified.forget(self._jar.value(request, self._jar.access))
        request[_VISIT] = Visit(nonce=csrf.new_nonce(), is_nonce_new=True, is_leaving=True)

    def set_cookies(self, request: web.Request, response: web.StreamResponse) -> None:
        """Apply the visit's cookie changes to a response."""
        visit = request.get(_VISIT)
        if visit is None:
            return
        at = clock.now()
        if visit.login is not None:
            login = visit.login
            self._jar.put_access(response, login.access, until=login.access_expires, at=at)
            seconds_left = (login.refresh_expires - at).total_seconds()
            self._jar.put(response, self._jar.refresh, login.refresh, seconds=seconds_left)
        if visit.is_leaving:
            self._jar.drop(response, *self._jar.login)
        if visit.is_nonce_new:
            self._jar.put(response, self._jar.nonce, visit.nonce)

    async def _identify(self, request: web.Request) -> Visit:
        if access := self._jar.value(request, self._jar.access):
            try:
                verified = await self._auth.verify(access)
            except (UnavailableError, RateLimitedError):
                return self._while_away(access)
            # API tokens do not give access to pages, because programs may share them.
            if verified is not None and verified.kind == "login":
                viewer = Viewer(verified.account, verified.email or "", access)
                self._keep(viewer, verified.expires)
                return Visit(viewer)
            self._verified.forget(access)
        if refresh := self._jar.value(request, self._jar.refresh):
            try:
                login = await self._renewals(refresh)
            except (UnavailableError, RateLimitedError):
                return Visit(is_away=True)
            except RefusedError:
                return Visit(is_leaving=True)
            return Visit(self._viewer(login), login=login)
        return Visit(is_leaving=not request.cookies.keys().isdisjoint(self._jar.login))

    def _while_away(self, access: str) -> Visit:
        identity = self._verified.identity(access, monotonic=clock.monotonic(), now=clock.now())
        if identity is None:
            return Visit(is_away=True)
        return Visit(Viewer(identity.account, identity.email, access, is_stale=True))

    def _viewer(self, login: Login) -> Viewer:
        viewer = Viewer(login.account, login.email, login.access)
        self._keep(viewer, login.access_expires)
        return viewer

    def _keep(self, viewer: Viewer, until: datetime | None) -> None:
        identity = Identity(viewer.account, viewer.email, until or clock.now())
        self._verified.keep(viewer.access, identity, monotonic=clock.monotonic())
