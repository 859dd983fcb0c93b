"""Serves `/` (host name and version), `/slow/SECONDS` (the same after a delay) and `/health`.

Environment variables control the application. START_SECONDS delays the start. STOP_SECONDS delays
the exit after the last connection has closed. For LINGER_SECONDS and FINISH_SECONDS, see
`runtime.web.serving`. If FAIL is set, every response has status 500. VERSION is the version to
include in responses. PORT is the port to listen on, by default 8080.
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


async def _answer(_request: web.Request) -> web.Response:
    version = os.environ.get("VERSION", "-")
    return web.Response(text=f"{socket.gethostname()} {version}\n")


async def _slow(request: web.Request) -> web.Response:
    await asyncio.sleep(float(request.match_info["seconds"]))
    return await _answer(request)


async def _sick(_request: web.Request) -> web.Response:
    return web.Response(status=500, text="FAIL is set\n")


async def _dawdle(_app: web.Application) -> None:
    """Delay the exit, like a service that cleans up slowly after its last connection has closed."""
    await asyncio.sleep(_seconds("STOP_SECONDS"))


async def _live() -> None:
    await asyncio.sleep(_seconds("START_SECONDS"))
    app = web.Application()
    if os.environ.get("FAIL"):
        # Add no other route, because aiohttp prefers routes with a fixed path in any order.
        app.router.add_get("/{path:.*}", _sick)
    else:
        app.router.add_get("/", _answer)
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
