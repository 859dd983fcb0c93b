"""Who is visiting: from the cookies, by the sign-in service, once per request.

Rules: a login is known by auth's word alone, except that while auth is away somebody it has just
vouched for may go on reading; cookies are dropped only when auth refuses them, never because it
is away; signing in or out draws a new CSRF nonce, so that nothing planted before it lives on.
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
from services.webservice.visitor.remembered import Known, Remembered
from services.webservice.visitor.renewals import Renewals


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in."""

    account: str
    email: str
    access: str = field(repr=False)
    is_stale: bool = False
    """The sign-in service is away; this was so a while ago. Enough to read, not to change."""


@dataclass(slots=True)
class Visit:
    """One request's visitor, and what the answer has to tell the browser."""

    viewer: Viewer | None = None
    is_away: bool = False
    """Cookies were shown, and the sign-in service could not be asked whose they are."""
    nonce: str = field(default="", repr=False)
    is_nonce_new: bool = False
    login: Login | None = None
    is_leaving: bool = False

    @property
    def account(self) -> str:
        """Whose forms these are; "" for nobody's."""
        return self.viewer.account if self.viewer else ""


_VISIT: Final = web.RequestKey("site.visit", Visit)


class Sessions:
    """Visits of one process; its memory is no state that a restart would miss."""

    def __init__(self, auth: Auth, jar: Jar, *, stale_seconds: float) -> None:
        self._auth = auth
        self._jar = jar
        self._renewals = Renewals[Login](auth.refresh)
        self._remembered = Remembered(seconds=stale_seconds)

    async def visit(self, request: web.Request) -> Visit:
        """The visitor; asks auth on the first call for a request and not again."""
        visit = request.get(_VISIT)
        if visit is None:
            visit = request[_VISIT] = await self._arrive(request)
            nonce = request.cookies.get(self._jar.nonce, "")
            visit.nonce = nonce if csrf.is_nonce(nonce) else csrf.new_nonce()
            visit.is_nonce_new = visit.nonce != nonce
        return visit

    def sign_in(self, request: web.Request, login: Login) -> None:
        """From this answer on the browser has `login` and a nonce nobody has seen."""
        visit = Visit(self._viewer(login), nonce=csrf.new_nonce(), is_nonce_new=True, login=login)
        request[_VISIT] = visit

    def sign_out(self, request: web.Request) -> None:
        """From this answer on the browser has neither login nor old nonce."""
        self._remembered.forget(request.cookies.get(self._jar.access, ""))
        request[_VISIT] = Visit(nonce=csrf.new_nonce(), is_nonce_new=True, is_leaving=True)

    def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put what the visit changed into the answer's cookies."""
        visit = request.get(_VISIT)
        if visit is None:
            return
        at = clock.now()
        if visit.login is not None:
            login = visit.login
            self._jar.put_access(response, login.access, until=login.access_expires, at=at)
            lasts = (login.refresh_expires - at).total_seconds()
            self._jar.put(response, self._jar.refresh, login.refresh, seconds=lasts)
        if visit.is_leaving:
            self._jar.drop(response, self._jar.access, self._jar.refresh)
        if visit.is_nonce_new:
            self._jar.put(response, self._jar.nonce, visit.nonce)

    async def _arrive(self, request: web.Request) -> Visit:
        if access := request.cookies.get(self._jar.access):
            try:
                verified = await self._auth.verify(access)
            except (UnavailableError, RateLimitedError):
                return self._while_away(access)
            # An API token opens the API, never the pages: it could be a program's, much shared.
            if verified is not None and verified.kind == "login":
                viewer = Viewer(verified.account, verified.email or "", access)
                self._keep(viewer, verified.expires)
                return Visit(viewer)
            self._remembered.forget(access)
        if refresh := request.cookies.get(self._jar.refresh):
            try:
                login = await self._renewals(refresh)
            except (UnavailableError, RateLimitedError):
                return Visit(is_away=True)
            except RefusedError:
                return Visit(is_leaving=True)
            return Visit(self._viewer(login), login=login)
        return Visit(is_leaving=bool(access))

    def _while_away(self, access: str) -> Visit:
        known = self._remembered.who(access, monotonic=clock.monotonic(), now=clock.now())
        if known is None:
            return Visit(is_away=True)
        return Visit(Viewer(known.account, known.email, access, is_stale=True))

    def _viewer(self, login: Login) -> Viewer:
        viewer = Viewer(login.account, login.email, login.access)
        self._keep(viewer, login.access_expires)
        return viewer

    def _keep(self, viewer: Viewer, until: datetime | None) -> None:
        known = Known(viewer.account, viewer.email, until or clock.now())
        self._remembered.keep(viewer.access, known, monotonic=clock.monotonic())
