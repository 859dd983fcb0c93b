"""The HTTP routes of cp_api, which return the models in `services.peers.quotes` as JSON."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import BaseModel

from runtime import clock
from runtime.errors import GoneError
from runtime.web.application import application
from runtime.web.outgoing import outgoing
from runtime.web.problems import Problem
from services.cp_api import queries
from services.cp_api.paced_gateway import AwayError, PacedGateway
from services.cp_api.pacing import Pacer
from services.cp_api.queries import InvalidQueryError
from services.cp_api.quote_service import QuoteService
from services.cp_api.settings import Settings
from services.peers.gateway import Gateway, trust


class _Routes:
    def __init__(self, quotes: QuoteService, gateway: PacedGateway) -> None:
        self._quotes = quotes
        self._gateway = gateway

    async def quotes(self, request: web.Request) -> web.Response:
        try:
            symbols = queries.symbols(request.query.get("symbols", ""))
            return _json(await self._quotes.quotes(symbols))
        except (InvalidQueryError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def quote(self, request: web.Request) -> web.Response:
        try:
            return _json(await self._quotes.quote(queries.symbol(request.match_info["symbol"])))
        except (InvalidQueryError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def history(self, request: web.Request) -> web.Response:
        try:
            symbol = queries.symbol(request.match_info["symbol"])
            span = queries.span(request.query.get("period", "1w"), request.query.get("bar", "1d"))
            return _json(await self._quotes.history(symbol, span))
        except (InvalidQueryError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def status(self, _request: web.Request) -> web.Response:
        try:
            session = await self._gateway.status()
        except AwayError as exc:
            raise _problem(exc) from exc
        pacer = self._gateway.pacing()
        pacing = {
            "given": pacer.granted,
            "refused": pacer.refused,
            "closed_for_seconds": round(pacer.closed_for(now=clock.monotonic()), 1),
        }
        return web.json_response(session.model_dump(mode="json") | {"pacing": pacing})

    async def check(self) -> str | None:
        """Return None if the brokerage session works, otherwise a description of the problem."""
        session = await self._gateway.status()
        return None if session.authenticated and not session.competing else session.detail


def _json(shape: BaseModel) -> web.Response:
    return web.Response(body=shape.model_dump_json().encode(), content_type="application/json")


def _problem(error: InvalidQueryError | AwayError | GoneError) -> Problem:
    if isinstance(error, InvalidQueryError):
        return Problem(status=400, title="Invalid query", detail=str(error))
    if isinstance(error, GoneError):
        return Problem(status=404, title="No such symbol", detail=str(error))
    retry_seconds = max(1, math.ceil(error.retry_after_seconds))
    return Problem(
        status=503,
        title="Interactive Brokers is unavailable",
        detail=str(error),
        headers={"Retry-After": str(retry_seconds)},
    )


@asynccontextmanager
async def opened(
    settings: Settings,
) -> AsyncIterator[tuple[web.Application, PacedGateway, QuoteService]]:
    """Yield the application, the gateway and the quote service.

    The caller must call `run` on the gateway and on the quote service.
    """
    tls = None
    if settings.gateway_url.startswith("https:"):
        tls = trust(ca=settings.gateway_ca, is_verified=settings.gateway_verify)
    async with outgoing(
        name="gateway", connections=8, timeout_seconds=settings.gateway_seconds
    ) as session:
        gateway = PacedGateway(
            Gateway(session, settings.gateway_url, tls=tls),
            Pacer(),
            queue_seconds=settings.queue_seconds,
            penalty_seconds=settings.penalty_seconds,
            status_seconds=settings.status_seconds,
        )
        quotes = QuoteService(
            gateway,
            answer_seconds=settings.answer_seconds,
            history_at_once=settings.history_at_once,
        )
        routes = _Routes(quotes, gateway)
        app = application("cp_api", settings=settings, checks={"gateway": routes.check})
        app.router.add_get("/quotes", routes.quotes)
        app.router.add_get("/quotes/{symbol}", routes.quote)
        app.router.add_get("/history/{symbol}", routes.history)
        app.router.add_get("/status", routes.status)
        yield app, gateway, quotes
