"""Sends HTTP requests from one of our services to another service or to a data store.

Rule: set a time-out and a connection limit for each session. A peer that hangs can then block only
a limited number of connections, and only for a limited time. Resolve host names often, because
tasks move between nodes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import structlog

_DNS_SECONDS: Final = 2
_CONNECT_SECONDS: Final = 2.0


@asynccontextmanager
async def outgoing(
    *, name: str, connections: int = 20, timeout_seconds: float = 5.0
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client session with at most `connections` connections and a time-out for each call.

    The session adds the current request's id to each call as the header `X-Request-Id`.
    """
    connector = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=_DNS_SECONDS)
    timeout = aiohttp.ClientTimeout(
        total=timeout_seconds, sock_connect=min(_CONNECT_SECONDS, timeout_seconds)
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers={"User-Agent": f"spotswarm-{name}"},
        middlewares=(_pass_on,),
        # Never send one caller's cookies with another caller's request.
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield session


async def _pass_on(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        request.headers["X-Request-Id"] = str(request_id)
    return await handler(request)
