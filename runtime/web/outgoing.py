"""HTTP from one of our services to another, or to a store.

Rule: bounded in every direction. A peer that hangs costs a caller the time-out and no more than
the pool; the names of peers are looked up often, for tasks move.
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
    """A client session with so many connections at most, and so many seconds for each call.

    The id of the request that is being answered goes along as `X-Request-Id`.
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
        # Cookies of one caller must never go with another's request.
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
