"""Sets up the ml service, which serves health checks, metrics and the analysis version."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from runtime.web.application import application
from runtime.web.outgoing import outgoing
from services.ml.follower import Follower
from services.ml.settings import Settings
from services.ml.version import DATA, VERSION
from services.stores.couch import Couch

_STORE_SECONDS: Final = 20.0


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": VERSION, "data": DATA})


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[web.Application, Follower]]:
    """Yield the application and the follower. The caller must run both."""
    async with outgoing(name="ml", timeout_seconds=_STORE_SECONDS) as session:
        couch = Couch(
            session, settings.couchdb_url, settings.couchdb_user, settings.couchdb_password
        )
        follower = Follower(couch, batch=settings.batch, wait_seconds=settings.wait_seconds)
        app = application(
            "ml", settings=settings, checks={"couchdb": couch.check, "changes": follower.check}
        )
        app.router.add_get("/version", _version)
        yield app, follower
