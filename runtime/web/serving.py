"""A web service that can be stopped without losing a request.

Rule: SIGTERM does not close the door. Whoever sends us requests learns late that we go: an
ingress that polls the swarm has us in its table until it looks again. So a service told to stop
first says so (`/health` answers 503, every answer carries `Connection: close`) and goes on
serving for `linger_seconds`, which must be longer than the ingress takes to notice; only then it
takes no more connections, finishes what it has begun, and ends.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

log = structlog.get_logger("serving")


@dataclass(frozen=True, slots=True)
class Stopping:
    """How a service ends. The stop grace period of its container must be longer than both."""

    linger_seconds: float = 5.0
    """Go on serving for so long after SIGTERM. At least the ingress's refresh, plus what it takes
    to apply what it found, plus a pause of a busy host. Engines wait two seconds of their own
    before the signal, which an ingress that looks every second just manages with; nobody else
    promises them, so they are slack and not counted on."""
    finish_seconds: float = 10.0
    """How long requests in flight may take after that, before they are cut."""

    @property
    def grace_seconds(self) -> float:
        """The least stop grace period: an engine that kills before it loses requests."""
        return self.linger_seconds + self.finish_seconds


_LEAVING: Final = web.AppKey("leaving", asyncio.Event)


def is_leaving(request: web.Request) -> bool:
    """Whether the service was told to stop, which it may have been while it served this."""
    leaving = request.config_dict.get(_LEAVING)
    return leaving is not None and leaving.is_set()


async def health(request: web.Request) -> web.Response:
    """Answer 200 while requests are wanted and 503 from SIGTERM on; the route is the caller's."""
    if is_leaving(request):
        return web.Response(status=503, text="leaving\n")
    return web.Response(text="ready\n")


async def serve(
    app: web.Application, *, port: int, host: str = "0.0.0.0", stopping: Stopping | None = None
) -> None:
    """Serve until cancelled, then leave as `stopping` says; for `runtime.lifecycle.run`.

    A second cancellation, which is a second signal, ends the lingering at once.
    """
    how = stopping or Stopping()
    app[_LEAVING] = asyncio.Event()
    app.on_response_prepare.append(_last_answer)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=how.finish_seconds
    )
    await runner.setup()
    try:
        # Between two looks at a busy loop more than the usual 128 may knock.
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("serving", port=port)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            app[_LEAVING].set()
            log.info("leaving", linger_seconds=how.linger_seconds)
            await asyncio.sleep(how.linger_seconds)
            raise
    finally:
        await runner.cleanup()


async def _last_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Make every peer open its next connection elsewhere, once we are leaving."""
    if is_leaving(request):
        response.force_close()
        response.headers["Connection"] = "close"
