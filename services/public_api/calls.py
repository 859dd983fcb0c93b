"""Handles one call: token, rate limit, scope, parameters, answer, in this order.

Rule: every call with a valid token is counted as usage, whatever its outcome.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from runtime import clock
from runtime.errors import ClusterError
from runtime.web.problems import Problem
from services.public_api.authentication import Authenticator, Caller
from services.public_api.rate_limit import Allowance, RateLimiter
from services.public_api.responses import response
from services.public_api.routes import Route
from services.public_api.schema.parameters import parsed
from services.public_api.sources import Sources
from services.stores.tracking import UsageTracker

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Calls:
    """Makes the handlers of routes."""

    def __init__(
        self,
        authenticator: Authenticator,
        limiter: RateLimiter,
        tracker: UsageTracker,
        sources: Sources,
    ) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._tracker = tracker
        self._sources = sources

    def handler(self, route: Route) -> Handler:
        """The handler of a route's calls."""

        async def handle(request: web.Request) -> web.StreamResponse:
            began = clock.monotonic()
            caller = await self._authenticator.authenticate(request.headers.get("Authorization"))
            status = 500
            try:
                answer = await self._answer(route, request, caller)
                status = answer.status
            except Problem as problem:
                status = problem.status
                raise
            except ClusterError:
                status = 503
                raise
            finally:
                self._tracker.track(
                    at=clock.now(),
                    token=caller.identity.token,
                    account=caller.identity.account,
                    route=route.path,
                    method=request.method,
                    status=status,
                    latency_ms=(clock.monotonic() - began) * 1000,
                )
            return answer

        return handle

    async def _answer(
        self, route: Route, request: web.Request, caller: Caller
    ) -> web.StreamResponse:
        allowance = self._limiter.take(caller.identity.token, clock.monotonic())
        headers = allowance.headers()
        if caller.is_remembered:
            headers["Degraded"] = "auth"
        try:
            if not allowance.is_allowed:
                raise _too_many(allowance)
            if route.scope not in caller.identity.scopes:
                raise _not_allowed(route.scope)
            return await plain(route, request, self._sources, caller.identity, headers)
        except Problem as problem:
            problem.headers = {**headers, **(problem.headers or {})}
            raise


async def plain(
    route: Route, request: web.Request, sources: Sources, caller: Any, headers: dict[str, str]
) -> web.Response:
    """Answer an admitted call; the baseline that `bench.api` compares whole calls with."""
    parameters = parsed(route.parameters, request.match_info, request.query)
    body = await route.answering(sources, parameters, caller)
    return response(request, body, headers=headers, is_paged=route.is_paged)


def _too_many(allowance: Allowance) -> Problem:
    return Problem(
        status=429,
        title="Too many calls",
        detail=f"The token may make {allowance.limit} calls in {allowance.window_seconds} seconds."
        f" Try again in {allowance.retry_after_seconds} seconds.",
    )


def _not_allowed(scope: str) -> Problem:
    return Problem(
        status=403,
        title="The token lacks the scope for this",
        detail=f"Create a token with the scope {scope}.",
        headers={
            "WWW-Authenticate": f'Bearer realm="public_api", error="insufficient_scope",'
            f' scope="{scope}"'
        },
    )
