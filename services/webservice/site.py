"""What every page needs, in one place; and how a page is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp_jinja2
from aiohttp import web

from runtime.errors import UnavailableError
from services.peers.auth import Auth
from services.peers.quotes import Quotes
from services.stores.couch import Couch
from services.stores.news import News
from services.stores.usage import Usage
from services.webservice import flash, watch_list
from services.webservice.files import HTMX, Files
from services.webservice.panels import Panel, panel
from services.webservice.settings import Settings
from services.webservice.visitor import csrf
from services.webservice.visitor.cookies import Jar
from services.webservice.visitor.session import Sessions, Viewer, Visit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Site:
    """The services and stores behind the pages, and what the pages are made with."""

    settings: Settings
    auth: Auth
    couch: Couch
    news: News
    usage: Usage
    quotes: Quotes
    sessions: Sessions
    jar: Jar
    files: Files

    def csrf_token(self, visit: Visit) -> str:
        """For a form of this visit."""
        key = self.settings.csrf_key.get_secret_value().encode()
        return csrf.make(key, nonce=visit.nonce, account=visit.account)

    def is_good_token(self, token: str, visit: Visit) -> bool:
        """Whether a form was made for this visit."""
        key = self.settings.csrf_key.get_secret_value().encode()
        return csrf.is_good(token, key, nonce=visit.nonce, account=visit.account)


SITE: Final = web.AppKey("site", Site)


def site_of(request: web.Request) -> Site:
    """The site a request is for."""
    return request.config_dict[SITE]


@web.middleware
async def visits_told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put into every answer, redirects too, the cookies that the visit changed.

    A middleware and no signal: when aiohttp signals an answer its cookies are written already.
    """
    try:
        answer = await handler(request)
    except web.HTTPException as exc:
        site_of(request).sessions.tell(request, exc)
        raise
    site_of(request).sessions.tell(request, answer)
    return answer


async def render(
    request: web.Request, template: str, *, status: int = HTTPStatus.OK, **told: Any
) -> web.Response:
    """A page, or a part of one, for this visitor."""
    site = site_of(request)
    visit = await site.sessions.visit(request)
    code = request.cookies.get(site.jar.flash)
    context = {
        "site_name": site.settings.site_name,
        "api_url": site.settings.api_url,
        "most_symbols": watch_list.LONGEST,
        "here": request.path,
        "static": site.files.address,
        "htmx_url": site.files.address(HTMX),
        "viewer": visit.viewer,
        "is_away": visit.is_away,
        "csrf": lambda: site.csrf_token(visit),
        "flash": flash.message(code),
    } | told
    response = aiohttp_jinja2.render_template(template, request, context, status=status)
    # Pages are of one visitor: no cache between us and them may keep one.
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Cookie, HX-Request"
    if code and not is_for_htmx(request):
        site.jar.drop(response, site.jar.flash)
    return response


async def ask(request: web.Request, name: str, asked: Any, *, away: str) -> Panel[Any]:
    """One part of a page, in the time that the settings give a part."""
    return await panel(name, asked, seconds=site_of(request).settings.panel_seconds, away=away)


def is_for_htmx(request: web.Request) -> bool:
    """Whether a part of a page is wanted; a page restored from history is wanted whole."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )


def see(request: web.Request, path: str, *, flashed: str = "") -> web.HTTPSeeOther:
    """The answer to a form that did its work: go and read `path`, where `flashed` is told."""
    response = web.HTTPSeeOther(path)
    if flashed:
        site = site_of(request)
        site.jar.put(response, site.jar.flash, flashed, seconds=60)
    return response


async def viewer_of(request: web.Request) -> Viewer:
    """Who is signed in.

    Raises:
        SignInNeeded: nobody: to the sign-in, which leads back here.
        UnavailableError: the sign-in service cannot say.
    """
    visit = await site_of(request).sessions.visit(request)
    if visit.viewer is not None:
        return visit.viewer
    if visit.is_away:
        raise UnavailableError("asking the sign-in service who this is: it does not answer")
    raise SignInNeeded(request)


class SignInNeeded(web.HTTPSeeOther):
    """To the sign-in; for htmx by a header, for it would put the page into a part of one."""

    def __init__(self, request: web.Request) -> None:
        is_page = request.method == "GET" and not is_for_htmx(request)
        place = "/login?" + urlencode({"next": str(request.rel_url)}) if is_page else "/login"
        super().__init__(place)
        if is_for_htmx(request):
            self.set_status(HTTPStatus.NO_CONTENT)
            self.headers["HX-Redirect"] = place
