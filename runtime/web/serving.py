"""Serves HTTP and stops without losing requests.

Rule: a service keeps accepting requests for some time after SIGTERM, because the ingress keeps
sending requests until it next polls the swarm. During this time (`linger_seconds`), the health
check returns 503 and every response has the header `Connection: close`. The time must be longer
than the ingress's polling interval. Afterwards, the service closes its port, finishes the requests
in flight, and exits.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger("serving")


@dataclass(frozen=True, slots=True)
class Stopping:
    """The time limits for stopping a service.

    The container's stop grace period must be longer than both limits combined.
    """

    linger_seconds: float = 5.0
    """How long to keep serving after SIGTERM. This time covers the ingress's polling interval, the
    time to apply a change, and a delay on a busy host. Engines wait two seconds before they send
    the signal, but this wait is not documented, so do not rely on it."""
    finish_seconds: float = 10.0
    """How long requests in flight may take after lingering, before they are aborted."""

    @property
    def grace_seconds(self) -> float:
        """The minimum stop grace period; with a shorter period, requests may be lost."""
        return self.linger_seconds + self.finish_seconds


_LEAVING: Final = web.AppKey("leaving", asyncio.Event)


def is_leaving(request: web.Request) -> bool:
    """Return whether the service is stopping. The result may change during a request."""
    leaving = request.config_dict.get(_LEAVING)
    return leaving is not None and leaving.is_set()


async def health(request: web.Request) -> web.Response:
    """Respond with status 200 before SIGTERM, and with status 503 afterwards."""
    if is_leaving(request):
        return web.Response(status=503, text="leaving\n")
    return web.Response(text="ready\n")


async def serve(
    app: web.Application, *, port: int, host: str = "0.0.0.0", stopping: Stopping | None = None
) -> None:
    """Serve requests until cancelled, then stop gracefully within the time limits in `stopping`.

    Run this function with `runtime.lifecycle.run`, which cancels it on a signal. A second signal
    ends the linger time immediately.
    """
    stopping = stopping or Stopping()
    app[_LEAVING] = asyncio.Event()
    app.on_response_prepare.append(_last_answer)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=stopping.finish_seconds
    )
    await runner.setup()
    try:
        # While the loop is busy, more than the default of 128 connections may arrive.
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("serving requests", port=port)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            app[_LEAVING].set()
            log.info("will stop after the linger time", linger_seconds=stopping.linger_seconds)
            await asyncio.sleep(stopping.linger_seconds)
            raise
    finally:
        await runner.cleanup()


async def _last_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Close the connection after a response if the service is stopping, so clients reconnect."""
    if is_leaving(request):
        response.force_close()
        response.headers["Connection"] = "close"
