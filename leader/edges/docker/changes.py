"""That something in the swarm changed, by the event stream of this manager's own engine.

Rule: events are hints. Whoever follows lists anew at every hint, and at the first, which comes
when the stream is open: so nothing falls between the list and the stream. We read it ourselves:
aiodocker's subscription goes deaf for good when its stream ends, and never says when it is open.
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
    """Yield when the stream is open, then whenever nodes or services changed; end when it does.

    What happens to tasks makes no events of the swarm. `within` bounds the opening, in seconds.
    """
    # The engine answers a moment before it subscribes us; `since` has it repeat that moment.
    params = {"filters": _FOLLOWED, "since": f"{clock.now().timestamp():.6f}"}
    with translated("following the engine's events"):
        async with AsyncExitStack() as stack:
            opening = docker._query(  # noqa: SLF001  aiodocker has no call that tells
                "events", params=params, timeout=aiohttp.ClientTimeout()
            )
            async with asyncio.timeout(within):
                response = await stack.enter_async_context(opening)
            stack.callback(response.close)
            yield
            # A part of a line, or several lines at once: one hint each.
            async for _ in response.content.iter_any():
                yield
