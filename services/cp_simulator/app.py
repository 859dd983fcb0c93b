"""Serves the simulator's routes: the gateway routes that cp_api and cp_api_tickle use.

Rule: every JSON object, and every element of a JSON list, contains `simulated: true`. Every
response has the header `X-Simulated: true`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from runtime import clock
from runtime.web.application import application
from services.cp_simulator import answers, prices
from services.cp_simulator.catalogue import BY_CONID, BY_SYMBOL, Stock
from services.cp_simulator.pacing import PacingMonitor
from services.cp_simulator.session import Refusal, Session
from services.cp_simulator.settings import Settings
from services.cp_simulator.state import SimulatorState, Trouble

BASE: Final = "/v1/api"
_MOST_CONIDS: Final = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Paths:
    """Handlers for the gateway's paths, one method per path."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    async def tickle(self, _request: web.Request) -> web.Response:
        return web.json_response(answers.tickle(self._status()))

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def reauthenticate(self, _request: web.Request) -> web.Response:
        self._state.session.reauthenticate(compete=False)
        return web.json_response(answers.marked({"message": "triggered"}))

    async def initialise(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._state.session.reauthenticate(compete=bool(body.get("compete")))
        return web.json_response(self._status())

    async def validate(self, _request: web.Request) -> web.Response:
        return web.json_response(answers.validation())

    async def log_out(self, _request: web.Request) -> web.Response:
        self._state.session.log_out()
        return web.json_response(answers.marked({"status": True}))

    async def accounts(self, _request: web.Request) -> web.Response:
        self._state.session.has_accounts = True
        return web.json_response(answers.accounts())

    async def portfolio(self, _request: web.Request) -> web.Response:
        account = {"id": "DU0000000", "accountId": "DU0000000", "currency": "USD", "type": "DEMO"}
        return web.json_response([answers.marked(account)])

    async def search(self, request: web.Request) -> web.Response:
        query = (await request.json()) if request.can_read_body else request.query
        stock = BY_SYMBOL.get(str(query.get("symbol", "")).upper())
        return web.json_response([answers.search(stock)] if stock else [])

    async def stocks(self, request: web.Request) -> web.Response:
        symbols = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol]
        return web.json_response(
            answers.stocks((symbol, BY_SYMBOL.get(symbol.upper())) for symbol in symbols)
        )

    async def definitions(self, request: web.Request) -> web.Response:
        body = await request.json()
        conids = body.get("conids", [])
        if len(conids) > _MOST_CONIDS:
            return _error(400, "Bad Request: too many conids")
        known = [BY_CONID[conid] for conid in conids if conid in BY_CONID]
        return web.json_response(
            answers.marked({"secdef": [answers.definition(stock) for stock in known]})
        )

    async def snapshot(self, request: web.Request) -> web.Response:
        conids = [conid for conid in request.query.get("conids", "").split(",") if conid]
        if not conids or not all(conid.isdecimal() for conid in conids):
            return _error(400, "Bad Request: conids")
        fields = request.query.get("fields", "").split(",")
        requested = (BY_CONID.get(int(conid)) for conid in conids)
        return web.json_response([self._element(stock, fields) for stock in requested if stock])

    async def history(self, request: web.Request) -> web.Response:
        conid = request.query.get("conid", "")
        stock = BY_CONID.get(int(conid)) if conid.isdecimal() else None
        period, bar = request.query.get("period", "1w"), request.query.get("bar", "1d")
        period_seconds, bar_seconds = answers.seconds(period), answers.seconds(bar)
        if (
            stock is None
            or period_seconds is None
            or bar_seconds is None
            or bar_seconds > period_seconds
        ):
            return _error(400, "Bad Request: no such history")
        count = min(period_seconds // bar_seconds, answers.MOST_POINTS)
        now = int(clock.now().timestamp())
        bars = prices.bars(stock.symbol, stock.around, seconds=bar_seconds, count=count, now=now)
        return web.json_response(
            answers.history(stock, bars, period=period, bar_seconds=bar_seconds)
        )

    def _status(self) -> answers.Json:
        session = self._state.session
        return answers.status(
            is_logged_in=session.is_logged_in,
            is_authenticated=session.is_authenticated,
            is_competing=session.is_competing,
        )

    def _element(self, stock: Stock, fields: list[str]) -> answers.Json:
        state = self._state
        if not state.session.stream(
            stock.conid, now=clock.monotonic(), after_seconds=state.preflight_seconds
        ):
            return answers.preflight(stock.conid)
        tick = prices.tick(stock.symbol, stock.around, int(clock.now().timestamp()))
        prefix = "H" if stock.symbol in state.halted else ""
        return answers.snapshot(stock, tick, fields, prefix=prefix)


def _error(status: int, message: str) -> web.Response:
    return web.json_response(
        answers.marked({"error": message, "statusCode": status}), status=status
    )


def _guarded(state: SimulatorState, handler: Handler) -> Handler:
    """Return a handler that checks the rate limits and the session before calling `handler`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(BASE)
        now = clock.monotonic()
        if not state.pacing.admit(path, now=now):
            return _error(429, "Too Many Requests")
        try:
            state.session.touch(now=now)
            if state.slow_seconds:
                await asyncio.sleep(state.slow_seconds)
            refusal = state.session.refusal(path)
            if refusal is Refusal.ACCOUNTS:
                return _error(400, refusal)
            if refusal:
                return _error(401, refusal)
            return await handler(request)
        finally:
            state.pacing.leave(path)

    return answer


def _add_admin_routes(state: SimulatorState, app: web.Application) -> None:
    async def make_trouble(request: web.Request) -> web.Response:
        try:
            trouble = Trouble.model_validate_json(await request.read())
        except ValidationError as exc:
            return _error(422, f"{exc.error_count()} fields are invalid")
        state.apply(trouble, now=clock.monotonic())
        return web.json_response(state.counts())

    async def counts(_request: web.Request) -> web.Response:
        return web.json_response(state.counts())

    app.router.add_post("/simulator/trouble", make_trouble)
    app.router.add_get("/simulator/seen", counts)


async def _mark_simulated(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Simulated"] = "true"


def simulator(settings: Settings) -> web.Application:
    """Return the simulator's application. The simulated session starts authenticated."""
    state = SimulatorState(
        session=Session(idle_seconds=settings.idle_seconds, last_asked=clock.monotonic()),
        pacing=PacingMonitor(penalty_seconds=settings.penalty_seconds),
        preflight_seconds=settings.preflight_seconds,
    )
    app = application("cp_simulator", settings=settings)
    app.on_response_prepare.append(_mark_simulated)
    paths = _Paths(state)
    for methods, path, handler in (
        ("GET POST", "/tickle", paths.tickle),
        ("GET POST", "/iserver/auth/status", paths.status),
        ("POST", "/iserver/reauthenticate", paths.reauthenticate),
        ("POST", "/iserver/auth/ssodh/init", paths.initialise),
        ("GET", "/sso/validate", paths.validate),
        ("GET POST", "/logout", paths.log_out),
        ("GET", "/iserver/accounts", paths.accounts),
        ("GET", "/portfolio/accounts", paths.portfolio),
        ("GET POST", "/iserver/secdef/search", paths.search),
        ("GET", "/trsrv/stocks", paths.stocks),
        ("POST", "/trsrv/secdef", paths.definitions),
        ("GET", "/iserver/marketdata/snapshot", paths.snapshot),
        ("GET", "/iserver/marketdata/history", paths.history),
    ):
        for method in methods.split():
            app.router.add_route(method, BASE + path, _guarded(state, handler))
    if settings.admin:
        _add_admin_routes(state, app)
    return app
