"""Serve `/` (who answers), `/slow/SECONDS` and `/health`, as the environment says.

START_SECONDS: before it serves. LINGER_SECONDS and FINISH_SECONDS: see `runtime.web.serving`.
STOP_SECONDS: it dawdles that long when it takes no more connections. FAIL: a bad version, which
answers 500 to everything. VERSION: what it says it is. PORT: 8080.
"""

import asyncio
import os
import socket
import sys

from aiohttp import web

from runtime import lifecycle, logs
from runtime.web import serving


def _seconds(name: str, otherwise: float = 0.0) -> float:
    return float(os.environ.get(name, otherwise))


async def _who(_request: web.Request) -> web.Response:
    version = os.environ.get("VERSION", "-")
    return web.Response(text=f"{socket.gethostname()} {version}\n")


async def _slow(request: web.Request) -> web.Response:
    await asyncio.sleep(float(request.match_info["seconds"]))
    return await _who(request)


async def _sick(_request: web.Request) -> web.Response:
    return web.Response(status=500, text="FAIL is set\n")


async def _dawdle(_app: web.Application) -> None:
    """Runs when no more connections are taken: a service that is slow to put its things away."""
    await asyncio.sleep(_seconds("STOP_SECONDS"))


async def _live() -> None:
    await asyncio.sleep(_seconds("START_SECONDS"))
    app = web.Application()
    if os.environ.get("FAIL"):
        # Nothing beside it: aiohttp prefers a route with a fixed path, whatever was added first.
        app.router.add_get("/{path:.*}", _sick)
    else:
        app.router.add_get("/", _who)
        app.router.add_get(r"/slow/{seconds:\d+(\.\d+)?}", _slow)
        app.router.add_get("/health", serving.health)
    app.on_cleanup.append(_dawdle)
    await serving.serve(
        app,
        port=int(os.environ.get("PORT", "8080")),
        stopping=serving.Stopping(
            linger_seconds=_seconds("LINGER_SECONDS", 5.0),
            finish_seconds=_seconds("FINISH_SECONDS", 10.0),
        ),
    )


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="lab.load.app"))
