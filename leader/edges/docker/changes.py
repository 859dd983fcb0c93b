"""Watches the event stream of this manager's engine for changes to the swarm.

Rule: treat an event only as a signal to list nodes and services again. The first signal is sent
when the stream is open, so no change is missed: each change either appears in the next list or
causes another signal. This module does not use aiodocker's subscription, because the
subscription does not report when its stream opens or ends.
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
    """Yield when the event stream opens, and after each change to nodes or services.

    The generator ends when the stream ends. Changes to tasks do not cause events. `within` is the
    time limit for opening the stream, in seconds.
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
