"""Helpers for all pages: clients, template rendering, redirects and visitor identification."""

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
    """The clients and settings that pages use."""

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
        """Return a CSRF token for a form that is shown during this visit."""
        key = self.settings.csrf_key.get_secret_value().encode()
        return csrf.make(key, nonce=visit.nonce, account=visit.account)

    def is_good_token(self, token: str, visit: Visit) -> bool:
        """Return whether a CSRF token is valid for this visit."""
        key = self.settings.csrf_key.get_secret_value().encode()
        return csrf.is_good(token, key, nonce=visit.nonce, account=visit.account)


SITE: Final = web.AppKey("site", Site)


def site_of(request: web.Request) -> Site:
    """Return the site that serves a request."""
    return request.config_dict[SITE]


@web.middleware
async def set_visit_cookies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Apply the visit's cookie changes to every response, including redirects.

    This function must be middleware. The `on_response_prepare` signal would be too late, because
    aiohttp writes the cookies before sending that signal.
    """
    try:
        answer = await handler(request)
    except web.HTTPException as exc:
        site_of(request).sessions.set_cookies(request, exc)
        raise
    site_of(request).sessions.set_cookies(request, answer)
    return answer


async def render(
    request: web.Request, template: str, *, status: int = HTTPStatus.OK, **values: Any
) -> web.Response:
    """Render a page, or part of a page, for the visitor."""
    site = site_of(request)
    visit = await site.sessions.visit(request)
    code = site.jar.value(request, site.jar.flash)
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
    } | values
    response = aiohttp_jinja2.render_template(template, request, context, status=status)
    # Pages are personal, so no shared cache may store them.
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Cookie, HX-Request"
    if code and not is_for_htmx(request):
        site.jar.drop(response, site.jar.flash)
    return response


async def ask(request: web.Request, name: str, awaitable: Any, *, away: str) -> Panel[Any]:
    """Load the content of one panel, waiting at most `panel_seconds` seconds."""
    return await panel(name, awaitable, seconds=site_of(request).settings.panel_seconds, away=away)


def is_for_htmx(request: web.Request) -> bool:
    """Return whether htmx needs only part of a page. It needs a full page to restore history."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )


def see(request: web.Request, path: str, *, flash_code: str = "") -> web.HTTPSeeOther:
    """Return a redirect to `path`. If `flash_code` is set, the next page shows its message."""
    response = web.HTTPSeeOther(path)
    if flash_code:
        site = site_of(request)
        site.jar.put(response, site.jar.flash, flash_code, seconds=60)
    return response


async def viewer_of(request: web.Request) -> Viewer:
    """Return the visitor who is signed in.

    Raises:
        SignInNeeded: if nobody is signed in. This error redirects to the sign-in page.
        UnavailableError: if the sign-in service is unavailable.
    """
    visit = await site_of(request).sessions.visit(request)
    if visit.viewer is not None:
        return visit.viewer
    if visit.is_away:
        raise UnavailableError("identifying the visitor: the sign-in service does not respond")
    raise SignInNeeded(request)


class SignInNeeded(web.HTTPSeeOther):
    """Redirects to the sign-in page. For htmx, a header makes the browser load the full page."""

    def __init__(self, request: web.Request) -> None:
        is_page = request.method == "GET" and not is_for_htmx(request)
        place = "/login?" + urlencode({"next": str(request.rel_url)}) if is_page else "/login"
        super().__init__(place)
        if is_for_htmx(request):
            self.set_status(HTTPStatus.NO_CONTENT)
            self.headers["HX-Redirect"] = place
