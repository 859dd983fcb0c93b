"""Hints that something in the swarm changed, from the event stream of this manager's engine.

Rule: events are only hints to list again. The first hint comes when the stream is open, so no
change is lost between a list and the stream. We read the stream ourselves: aiodocker's
subscription stays silent once its stream has ended, and does not report when it is open.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Final

import aiohttp
from aiodocker import Docker

from leader.edges.docker.errors import translated
from runtime import clock

_FOLLOWED: Final = json.dumps({"type": ["node", "service"]})


async def follow(docker: Docker, *, within: float) -> AsyncGenerator[None, None]:
    """Yield when the stream is open and whenever nodes or services changed, until it ends.

    Changes of tasks cause no events. `within` limits the opening, in seconds.
    """
    # The engine answers shortly before it subscribes us; `since` makes it repeat that interval.
    params = {"filters": _FOLLOWED, "since": f"{clock.now().timestamp():.6f}"}
    with translated("following the engine's events"):
        async with AsyncExitStack() as stack:
            opening = docker._query(  # noqa: SLF001  aiodocker has no call for this
                "events", params=params, timeout=aiohttp.ClientTimeout()
            )
            async with asyncio.timeout(within):
                response = await stack.enter_async_context(opening)
            stack.callback(response.close)
            yield
            # A chunk may be part of a line or several lines; each is one hint.
            async for _ in response.content.iter_any():
                yield
