"""The site and the API with everything behind them in memory, which answers without data."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from memory_connections import Connector

from runtime import clock

ACCESS: Final = "good-token"
ACCOUNT: Final = "ada"
HOSTS: Final = ("auth", "couchdb", "influxdb", "cp_api")
_SCOPES: Final = ["news:read", "sentiment:read", "quotes:read", "usage:read"]


def _login() -> dict[str, str]:
    at: datetime = clock.now()
    return {
        "account": ACCOUNT,
        "email": "ada@example.org",
        "access": ACCESS,
        "access_expires": (at + timedelta(minutes=15)).isoformat(),
        "refresh": "r" * 60,
        "refresh_expires": (at + timedelta(days=1)).isoformat(),
    }


def _auth(request: web.Request, kind: str) -> Any:
    match request.path:
        case "/verify":
            if request.headers.get("Authorization") != f"Bearer {ACCESS}":
                raise web.HTTPUnauthorized
            return {"kind": kind, "account": ACCOUNT, "token": "t", "scopes": _SCOPES}
        case "/login" | "/refresh":
            return _login()
        case "/me" | "/accounts":
            return {"account": ACCOUNT, "email": "ada@example.org"}
        case "/api-tokens" if request.method == "GET":
            return {"tokens": []}
    raise web.HTTPUnprocessableEntity


def _store(request: web.Request) -> Any:
    match request.host.partition(":")[0]:
        case "couchdb" if request.path.startswith("/news/news-"):
            raise web.HTTPNotFound
        case "couchdb":
            return {"rows": []}
        case "influxdb":
            return {"results": [{}]}
        case _ if request.path == "/quotes":
            return {"quotes": []}
    raise web.HTTPNotFound


@asynccontextmanager
async def serving(
    opened: Callable[[], AbstractAsyncContextManager[web.Application]], *, kind: str = "login"
) -> AsyncIterator[web.Server]:
    """Yield the server of an application whose requests to others stay in memory."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        if request.host == "auth":
            return web.json_response(_auth(request, kind))
        return web.json_response(_store(request))

    async with AsyncExitStack() as stack:
        behind = web.Application()
        behind.router.add_route("*", "/{path:.*}", answer)
        far = await _started(stack, behind)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        servers = dict.fromkeys(HOSTS, far)
        patch.setattr(aiohttp, "TCPConnector", lambda **_: Connector(servers))
        yield await _started(stack, await stack.enter_async_context(opened()))
        await asyncio.sleep(0)


async def _started(stack: AsyncExitStack, app: web.Application) -> web.Server:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None
    return runner.server
