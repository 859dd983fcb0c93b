"""Serving HTTP so that a service can stop without losing a request.

Rule: a service keeps accepting requests after SIGTERM, because an ingress that polls the swarm
keeps sending them until its next poll. The service first announces that it is stopping (`/health`
answers 503, every answer has `Connection: close`) and continues for `linger_seconds`, which must
be longer than the ingress takes to notice. Then it accepts no more connections, finishes the
requests in flight, and ends.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger("serving")


@dataclass(frozen=True, slots=True)
class Stopping:
    """How a service stops. Its container's stop grace period must be longer than both times."""

    linger_seconds: float = 5.0
    """How long to keep serving after SIGTERM: the ingress's polling interval, plus the time that it
    needs to apply a change, plus a delay on a busy host. Engines wait two seconds before the
    signal, but that is not documented, so it is not counted here."""
    finish_seconds: float = 10.0
    """How long requests in flight may take after that, before they are aborted."""

    @property
    def grace_seconds(self) -> float:
        """The shortest safe stop grace period; an engine that kills sooner loses requests."""
        return self.linger_seconds + self.finish_seconds


_LEAVING: Final = web.AppKey("leaving", asyncio.Event)


def is_leaving(request: web.Request) -> bool:
    """Whether the service is stopping; that can begin while it serves this request."""
    leaving = request.config_dict.get(_LEAVING)
    return leaving is not None and leaving.is_set()


async def health(request: web.Request) -> web.Response:
    """Answer 200 until SIGTERM and 503 after it; the caller adds the route."""
    if is_leaving(request):
        return web.Response(status=503, text="leaving\n")
    return web.Response(text="ready\n")


async def serve(
    app: web.Application, *, port: int, host: str = "0.0.0.0", stopping: Stopping | None = None
) -> None:
    """Serve until cancelled, then stop as `stopping` says; for `runtime.lifecycle.run`.

    A second cancellation, caused by a second signal, ends the lingering at once.
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
        log.info("serving", port=port)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            app[_LEAVING].set()
            log.info("leaving", linger_seconds=stopping.linger_seconds)
            await asyncio.sleep(stopping.linger_seconds)
            raise
    finally:
        await runner.cleanup()


async def _last_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Make every client open its next connection elsewhere once we are stopping."""
    if is_leaving(request):
        response.force_close()
        response.headers["Connection"] = "close"
