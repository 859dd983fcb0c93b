"""Sets up the site's routes, middleware, and clients for other services and data stores.

Rule: creating a client sends no requests, so the site starts even if other services are down.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientSession, web

from runtime.web import security_headers
from runtime.web.application import application as bare
from runtime.web.health import Check
from runtime.web.outgoing import outgoing
from services.peers.auth import Auth
from services.peers.quotes import Quotes
from services.stores.couch import Couch
from services.stores.news import News
from services.stores.usage import Usage
from services.webservice import templating
from services.webservice.files import Files
from services.webservice.guard import only_own_forms
from services.webservice.pages import (
    account,
    article,
    dashboard,
    errors,
    landing,
    login,
    sign_up,
    tokens,
    usage,
)
from services.webservice.settings import Settings
from services.webservice.site import SITE, Site, set_visit_cookies
from services.webservice.visitor.cookies import Jar
from services.webservice.visitor.session import Sessions

NAME: Final = "webservice"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[web.Application]:
    """Open the HTTP client session and yield the application. Close the session on exit."""
    async with outgoing(
        name=NAME, connections=50, timeout_seconds=settings.outgoing_timeout_seconds
    ) as session:
        yield application(settings, connect(settings, session))


def connect(settings: Settings, session: ClientSession) -> Site:
    """Create the clients for other services and data stores. They share one HTTP session."""
    jar = Jar(https=settings.https)
    auth = Auth(session, settings.auth_url)
    couch = Couch(session, settings.couchdb_url, settings.couchdb_user, settings.couchdb_password)
    usage = Usage(
        session, settings.influxdb_url, settings.influxdb_user, settings.influxdb_password
    )
    return Site(
        settings=settings,
        auth=auth,
        couch=couch,
        news=News(couch),
        usage=usage,
        quotes=Quotes(session, settings.quotes_url),
        sessions=Sessions(auth, jar, stale_seconds=settings.stale_seconds),
        jar=jar,
        files=Files.read(settings.assets_directory),
    )


def application(settings: Settings, site: Site) -> web.Application:
    """Return the application with its routes and middleware."""
    app = bare(NAME, settings=settings, checks=checks(site))
    app[SITE] = site
    app.middlewares.extend([set_visit_cookies, errors.pages_of_errors, only_own_forms])
    headers = security_headers.of_site(https=settings.https)

    async def set_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    app.on_response_prepare.append(set_security_headers)
    templating.set_up(app)
    app.add_routes(
        [
            web.get("/", landing.get),
            web.get("/static/{name}", site.files.get),
            web.get("/login", login.get_login),
            web.post("/login", login.post_login),
            web.post("/logout", login.post_logout),
            web.get("/sign-up", sign_up.get),
            web.post("/sign-up", sign_up.post),
            web.get("/dashboard", dashboard.get),
            web.get("/dashboard/quotes", dashboard.get_quotes),
            web.post("/dashboard/watch", dashboard.post_watch),
            web.get("/news/{id}", article.get),
            web.get("/tokens", tokens.get),
            web.post("/tokens", tokens.post),
            web.post("/tokens/{id}/revoke", tokens.post_revoke),
            web.get("/usage", usage.get),
            web.get("/account", account.get),
            web.post("/account/password", account.post_password),
            web.post("/account/logout-all", account.post_logout_all),
        ]
    )
    return app


def checks(site: Site) -> Mapping[str, Check]:
    """Return the checks shown at `/health/ready`. The site is ready even if a check fails."""
    return {
        "auth": site.auth.check,
        "couchdb": site.couch.check,
        "influxdb": site.usage.check,
        "quotes": site.quotes.check,
    }
