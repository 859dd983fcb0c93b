"""cp_api's routes. What they answer is `services.peers.quotes`, JSON with plain numbers."""

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
from services.cp_api import asked
from services.cp_api.broker import AwayError, Broker
from services.cp_api.market import Market
from services.cp_api.pacing import Pacer
from services.cp_api.settings import Settings
from services.peers.gateway import Gateway, trust


class _Routes:
    """Asked and answered; the rest is the market's."""

    def __init__(self, market: Market, broker: Broker) -> None:
        self._market = market
        self._broker = broker

    async def quotes(self, request: web.Request) -> web.Response:
        try:
            symbols = asked.symbols(request.query.get("symbols", ""))
            return _json(await self._market.quotes(symbols))
        except (asked.AskedWrongError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def quote(self, request: web.Request) -> web.Response:
        try:
            return _json(await self._market.quote(asked.symbol(request.match_info["symbol"])))
        except (asked.AskedWrongError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def history(self, request: web.Request) -> web.Response:
        try:
            symbol = asked.symbol(request.match_info["symbol"])
            span = asked.span(request.query.get("period", "1w"), request.query.get("bar", "1d"))
            return _json(await self._market.history(symbol, span))
        except (asked.AskedWrongError, AwayError, GoneError) as exc:
            raise _problem(exc) from exc

    async def status(self, _request: web.Request) -> web.Response:
        try:
            told = await self._broker.status()
        except AwayError as exc:
            raise _problem(exc) from exc
        pacer = self._broker.pacing()
        pacing = {
            "given": pacer.given,
            "refused": pacer.refused,
            "closed_for_seconds": round(pacer.closed_for(now=clock.monotonic()), 1),
        }
        return web.json_response(told.model_dump(mode="json") | {"pacing": pacing})

    async def check(self) -> str | None:
        """None when quotes can be had, else a sentence."""
        told = await self._broker.status()
        return None if told.authenticated and not told.competing else told.detail


def _json(shape: BaseModel) -> web.Response:
    return web.Response(body=shape.model_dump_json().encode(), content_type="application/json")


def _problem(error: asked.AskedWrongError | AwayError | GoneError) -> Problem:
    if isinstance(error, asked.AskedWrongError):
        return Problem(status=400, title="Not a question we can ask", detail=str(error))
    if isinstance(error, GoneError):
        return Problem(status=404, title="No such symbol", detail=str(error))
    again = max(1, math.ceil(error.retry_after_seconds))
    return Problem(
        status=503,
        title="The broker is away",
        detail=str(error),
        headers={"Retry-After": str(again)},
    )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[web.Application, Broker, Market]]:
    """The application, and the two that must be running while it serves."""
    tls = None
    if settings.gateway_url.startswith("https:"):
        tls = trust(ca=settings.gateway_ca, is_verified=settings.gateway_verify)
    async with outgoing(
        name="gateway", connections=8, timeout_seconds=settings.gateway_seconds
    ) as session:
        broker = Broker(
            Gateway(session, settings.gateway_url, tls=tls),
            Pacer(),
            queue_seconds=settings.queue_seconds,
            penalty_seconds=settings.penalty_seconds,
            status_seconds=settings.status_seconds,
        )
        market = Market(
            broker,
            answer_seconds=settings.answer_seconds,
            history_at_once=settings.history_at_once,
        )
        routes = _Routes(market, broker)
        app = application("cp_api", settings=settings, checks={"gateway": routes.check})
        app.router.add_get("/quotes", routes.quotes)
        app.router.add_get("/quotes/{symbol}", routes.quote)
        app.router.add_get("/history/{symbol}", routes.history)
        app.router.add_get("/status", routes.status)
        yield app, broker, market
