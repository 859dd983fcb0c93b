"""The routes for operators: whether a service lives, whether it is ready, and its metrics.

Rule: these routes are for Docker, Prometheus and our own services, never for visitors. The ingress
marks every request that it passes on, and a request with such a mark gets 404. A rule in the
ingress would have to name the paths of each service, and would make its routes outrank others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from runtime import clock
from runtime.errors import ClusterError
from runtime.web import serving

log = structlog.get_logger("health")

Check = Callable[[], Awaitable[str | None]]
"""Checks one dependency. Returns None if the dependency works, otherwise a sentence that describes
the problem without secrets."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATHS: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
_CHECK_SECONDS: Final = 2.0
KEPT_SECONDS: Final = 1.0
"""How long the results of the checks are used again."""
_MARKS: Final = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Real-Ip",
    "Forwarded",
)
"""The headers that a proxy adds. Traefik adds all of them except the last."""


def add_routes(app: web.Application, checks: Mapping[str, Check]) -> None:
    """Add the routes in `PATHS`."""
    app.router.add_get("/health/live", _for_operators(_live))
    app.router.add_get("/health/ready", _for_operators(Readiness(checks).get))
    app.router.add_get("/metrics", _for_operators(_metrics))


class Readiness:
    """The results of the checks. However many callers ask, the checks run once a second."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._round: asyncio.Task[dict[str, str]] | None = None
        self._ended = 0.0

    async def get(self, request: web.Request) -> web.Response:
        """Respond with the result of each check, or with 503 while the service is stopping."""
        if serving.is_leaving(request):
            return web.json_response({"status": "leaving"}, status=503)
        states = await self._states()
        status = "ok" if all(state == "ok" for state in states.values()) else "degraded"
        return web.json_response({"status": status, "checks": states})

    async def _states(self) -> dict[str, str]:
        if self._round is None or (
            self._round.done() and clock.monotonic() - self._ended >= KEPT_SECONDS
        ):
            self._round = asyncio.create_task(self._check_all(), name="check dependencies")
        # A caller that hangs up must not end the round for the others.
        return await asyncio.shield(self._round)

    async def _check_all(self) -> dict[str, str]:
        states = await asyncio.gather(*map(_state, self._checks.values()))
        self._ended = clock.monotonic()
        return dict(zip(self._checks, states, strict=True))


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check() or "ok"
    except TimeoutError:
        return "is not responding"
    except ClusterError as exc:
        return str(exc)
    except Exception:
        # One check must not hide the results of the others.
        log.exception("could not check a dependency because of a bug")
        return "could not be checked"


def _for_operators(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if any(mark in request.headers for mark in _MARKS):
            raise web.HTTPNotFound
        return await handler(request)

    return handle


async def _live(_request: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(
        body=generate_latest(REGISTRY), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}
    )
