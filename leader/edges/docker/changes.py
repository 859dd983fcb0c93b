"""Signals that the swarm has changed, based on the event stream of this manager's engine.

Rule: treat an event only as a signal to list nodes and services again. The first signal comes once
the stream is open, so every change either is in the list that follows or causes another signal. We
read the stream ourselves because aiodocker's subscription reports neither when its stream opens nor
when it ends.
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
    """Yield once the stream is open and whenever nodes or services change, until the stream ends.

    Changes to tasks cause no events. `within` is the time limit for opening the stream, in seconds.
    """
    # The engine responds shortly before the subscription starts; `since` covers that gap.
    params = {"filters": _FOLLOWED, "since": f"{clock.now().timestamp():.6f}"}
    with translated("follow the engine's events"):
        async with AsyncExitStack() as stack:
            opening = docker._query(  # noqa: SLF001  aiodocker has no method for this
                "events", params=params, timeout=aiohttp.ClientTimeout()
            )
            async with asyncio.timeout(within):
                response = await stack.enter_async_context(opening)
            stack.callback(response.close)
            yield
            # A chunk may contain a partial line or several lines; each chunk is one signal.
            async for _ in response.content.iter_any():
                yield
