"""Sets up public_api's routes and its clients for other services and data stores."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
from aiohttp import web

from runtime.web.application import application
from runtime.web.outgoing import outgoing
from services.peers.auth import Auth
from services.peers.quotes import Quotes
from services.public_api import docs_page
from services.public_api.authentication import Authenticator
from services.public_api.calls import Calls
from services.public_api.rate_limit import RateLimiter
from services.public_api.routes import ROUTES
from services.public_api.schema.openapi import document
from services.public_api.settings import Settings
from services.public_api.sources import Sources
from services.stores.couch import Couch
from services.stores.news import News
from services.stores.tracking import UsageTracker
from services.stores.usage import Usage

NAME: Final = "public_api"
VERSION: Final = "1.0.0"
"""The API's version. Its major version is part of every path."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[web.Application]:
    """Yield the application. On exit, write any unsaved usage data and close all connections."""
    async with AsyncExitStack() as stack:

        async def session(name: str) -> aiohttp.ClientSession:
            return await stack.enter_async_context(
                outgoing(
                    name=name,
                    connections=settings.outgoing_connections,
                    timeout_seconds=settings.outgoing_timeout_seconds,
                )
            )

        couch = Couch(
            await session("couchdb"),
            settings.couchdb_url,
            settings.couchdb_user if settings.couchdb_password.get_secret_value() else "",
            settings.couchdb_password,
        )
        usage = Usage(
            await session("influxdb"),
            settings.influxdb_url,
            settings.influxdb_user if settings.influxdb_password.get_secret_value() else "",
            settings.influxdb_password,
        )
        auth = Auth(await session("auth"), settings.auth_url)
        quotes = Quotes(await session("quotes"), settings.quotes_url)
        tracker = await stack.enter_async_context(UsageTracker(usage))
        calls = Calls(
            Authenticator(
                auth,
                cache_seconds=settings.verify_cache_seconds,
                stale_seconds=settings.stale_seconds,
                patience_seconds=settings.auth_patience_seconds,
            ),
            RateLimiter(settings.rate_limit, settings.rate_window_seconds),
            tracker,
            Sources(News(couch), quotes, usage),
        )
        app = application(
            NAME,
            settings=settings,
            checks={
                "auth": auth.check,
                "couchdb": couch.check,
                "influxdb": usage.check,
                "quotes": quotes.check,
            },
        )
        for route in ROUTES:
            app.router.add_get(route.path, calls.handler(route))
        docs_page.add_routes(app, document=document(VERSION), assets=settings.assets_directory)
        yield app
