"""Handles API calls: checks the token, rate limit, scope and parameters, in that order.

Rule: every call with a valid token counts as usage, even if the call fails.
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
    """Creates the request handlers for all routes."""

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
        """Return the request handler for a route."""

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
    """Respond to a call that has passed the token, rate-limit and scope checks.

    The benchmark `bench.api` calls this function directly, as a baseline without these checks.
    """
    parameters = parsed(route.parameters, request.match_info, request.query)
    body = await route.answering(sources, parameters, caller)
    return response(request, body, headers=headers, is_paged=route.is_paged)


def _too_many(allowance: Allowance) -> Problem:
    return Problem(
        status=429,
        title="Too many calls",
        detail=f"This token is limited to {allowance.limit} calls per {allowance.window_seconds} s."
        f" Try again in {allowance.retry_after_seconds} s.",
    )


def _not_allowed(scope: str) -> Problem:
    return Problem(
        status=403,
        title="The token does not have the required scope",
        detail=f"Create a token that has the scope {scope}.",
        headers={
            "WWW-Authenticate": f'Bearer realm="public_api", error="insufficient_scope",'
            f' scope="{scope}"'
        },
    )
