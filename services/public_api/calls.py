"""One call from its arrival to its answer: whose it is, whether it may be, what it asks for.

Rule: in this order, and every call of somebody known is tracked, whatever became of it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from runtime import clock
from runtime.errors import ClusterError
from runtime.web.problems import Problem
from services.public_api.answers import answer
from services.public_api.gate import Caller, Gate
from services.public_api.limiter import Allowance, Limiter
from services.public_api.routes import Route
from services.public_api.schema.parameters import parsed
from services.public_api.sources import Sources
from services.stores.tracking import UsageTracker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Calls:
    """Makes a handler of a route."""

    def __init__(
        self, gate: Gate, limiter: Limiter, tracker: UsageTracker, sources: Sources
    ) -> None:
        self._gate = gate
        self._limiter = limiter
        self._tracker = tracker
        self._sources = sources

    def handler(self, route: Route) -> Handler:
        """What answers calls of the route."""

        async def handle(request: web.Request) -> web.StreamResponse:
            began = clock.monotonic()
            caller = await self._gate.admit(request.headers.get("Authorization"))
            status = 500
            try:
                answered = await self._answer(route, request, caller)
                status = answered.status
            except Problem as problem:
                status = problem.status
                raise
            except ClusterError:
                status = 503
                raise
            finally:
                self._tracker.track(
                    at=clock.now(),
                    token=caller.who.token,
                    account=caller.who.account,
                    route=route.path,
                    method=request.method,
                    status=status,
                    latency_ms=(clock.monotonic() - began) * 1000,
                )
            return answered

        return handle

    async def _answer(
        self, route: Route, request: web.Request, caller: Caller
    ) -> web.StreamResponse:
        allowance = self._limiter.take(caller.who.token, clock.monotonic())
        headers = allowance.headers()
        if caller.is_remembered:
            headers["Degraded"] = "auth"
        try:
            if not allowance.is_allowed:
                raise _too_many(allowance)
            if route.scope not in caller.who.scopes:
                raise _not_allowed(route.scope)
            return await plain(route, request, self._sources, caller.who, headers)
        except Problem as problem:
            problem.headers = {**headers, **(problem.headers or {})}
            raise


async def plain(
    route: Route, request: web.Request, sources: Sources, who: Any, headers: dict[str, str]
) -> web.Response:
    """Answer a call that may be; what `bench.api.__main__` measures everything else against."""
    asked = parsed(route.parameters, request.match_info, request.query)
    found = await route.answering(sources, asked, who)
    return answer(request, found, headers=headers, is_paged=route.is_paged)


def _too_many(allowance: Allowance) -> Problem:
    return Problem(
        status=429,
        title="Too many calls",
        detail=f"The token may make {allowance.limit} calls in {allowance.window_seconds} seconds."
        f" Try again in {allowance.retry_after_seconds}.",
    )


def _not_allowed(scope: str) -> Problem:
    return Problem(
        status=403,
        title="The token does not allow this",
        detail=f"Make one with the scope {scope}.",
        headers={
            "WWW-Authenticate": f'Bearer realm="public_api", error="insufficient_scope",'
            f' scope="{scope}"'
        },
    )
