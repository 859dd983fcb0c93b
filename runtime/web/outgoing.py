"""HTTP requests from one of our services to another, or to a store.

Rule: everything is bounded. A peer that hangs costs its caller the timeout and the connections of
the pool, nothing more. Host names are resolved often, because tasks move.
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
    """A client session with at most `connections` connections and `timeout_seconds` per call.

    It sends the id of the request that is being answered as `X-Request-Id`.
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
        # Cookies of one caller must never be sent with the request of another.
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
