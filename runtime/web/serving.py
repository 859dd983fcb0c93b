"""Serves HTTP and stops without losing requests.

Rule: a service keeps accepting requests after SIGTERM, because an ingress that polls the swarm
keeps sending requests until its next poll. The service first announces that it is stopping:
`/health` returns 503, and every response has `Connection: close`. The service then keeps serving
for `linger_seconds`, which must be longer than the ingress takes to notice. Finally, the service
closes its port, finishes the requests in flight, and exits.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger("serving")


@dataclass(frozen=True, slots=True)
class Stopping:
    """How long a service takes to stop.

    The container's stop grace period must be longer than the sum of the two times.
    """

    linger_seconds: float = 5.0
    """How long to keep serving after SIGTERM. This time covers the ingress's polling interval, the
    time to apply a change, and a delay on a busy host. Engines wait two seconds before they send
    the signal, but this wait is not documented, so do not rely on it."""
    finish_seconds: float = 10.0
    """How long requests in flight may take after lingering, before they are aborted."""

    @property
    def grace_seconds(self) -> float:
        """The shortest safe stop grace period; with a shorter period, requests are lost."""
        return self.linger_seconds + self.finish_seconds


_LEAVING: Final = web.AppKey("leaving", asyncio.Event)


def is_leaving(request: web.Request) -> bool:
    """Return whether the service is stopping; this may change while it handles a request."""
    leaving = request.config_dict.get(_LEAVING)
    return leaving is not None and leaving.is_set()


async def health(request: web.Request) -> web.Response:
    """Respond with 200 until SIGTERM and with 503 afterwards; the caller adds the route."""
    if is_leaving(request):
        return web.Response(status=503, text="leaving\n")
    return web.Response(text="ready\n")


async def serve(
    app: web.Application, *, port: int, host: str = "0.0.0.0", stopping: Stopping | None = None
) -> None:
    """Serve until cancelled, then stop gracefully within the times in `stopping`.

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
            log.info("stopping after the linger time", linger_seconds=stopping.linger_seconds)
            await asyncio.sleep(stopping.linger_seconds)
            raise
    finally:
        await runner.cleanup()


async def _last_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Close the connection after a response if the service is stopping, so clients reconnect."""
    if is_leaving(request):
        response.force_close()
        response.headers["Connection"] = "close"
