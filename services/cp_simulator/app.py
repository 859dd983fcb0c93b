"""The simulator's routes: those of the gateway that cp_api and cp_api_tickle use, and no more.

Rule: every JSON answer says `simulated: true` — an object in a field of its own, a list in each
of its elements (an empty one in the header alone) — and every answer has `X-Simulated: true`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from runtime import clock
from runtime.web.application import application
from services.cp_simulator import prices, wording
from services.cp_simulator.catalogue import BY_CONID, BY_SYMBOL, Stock
from services.cp_simulator.desk import Desk, Trouble
from services.cp_simulator.pacing import Watch
from services.cp_simulator.session import Refusal, Session
from services.cp_simulator.settings import Settings

BASE: Final = "/v1/api"
_MOST_CONIDS: Final = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Paths:
    """The gateway's paths, each a method; `desk` is theirs together."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def tickle(self, _request: web.Request) -> web.Response:
        return web.json_response(wording.tickle(self._status()))

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def reauthenticate(self, _request: web.Request) -> web.Response:
        self._desk.session.reauthenticate(compete=False)
        return web.json_response(wording.marked({"message": "triggered"}))

    async def initialise(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._desk.session.reauthenticate(compete=bool(body.get("compete")))
        return web.json_response(self._status())

    async def validate(self, _request: web.Request) -> web.Response:
        return web.json_response(wording.validation())

    async def log_out(self, _request: web.Request) -> web.Response:
        self._desk.session.log_out()
        return web.json_response(wording.marked({"status": True}))

    async def accounts(self, _request: web.Request) -> web.Response:
        self._desk.session.has_accounts = True
        return web.json_response(wording.accounts())

    async def portfolio(self, _request: web.Request) -> web.Response:
        account = {"id": "DU0000000", "accountId": "DU0000000", "currency": "USD", "type": "DEMO"}
        return web.json_response([wording.marked(account)])

    async def search(self, request: web.Request) -> web.Response:
        told = (await request.json()) if request.can_read_body else request.query
        stock = BY_SYMBOL.get(str(told.get("symbol", "")).upper())
        return web.json_response([wording.search(stock)] if stock else [])

    async def stocks(self, request: web.Request) -> web.Response:
        asked = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol]
        return web.json_response(wording.stocks((one, BY_SYMBOL.get(one.upper())) for one in asked))

    async def definitions(self, request: web.Request) -> web.Response:
        body = await request.json()
        asked = body.get("conids", [])
        if len(asked) > _MOST_CONIDS:
            return _error(400, "Bad Request: too many conids")
        found = [BY_CONID[conid] for conid in asked if conid in BY_CONID]
        return web.json_response(
            wording.marked({"secdef": [wording.definition(stock) for stock in found]})
        )

    async def snapshot(self, request: web.Request) -> web.Response:
        asked = [conid for conid in request.query.get("conids", "").split(",") if conid]
        if not asked or not all(conid.isdecimal() for conid in asked):
            return _error(400, "Bad Request: conids")
        fields = request.query.get("fields", "").split(",")
        found = (BY_CONID.get(int(conid)) for conid in asked)
        return web.json_response([self._element(stock, fields) for stock in found if stock])

    async def history(self, request: web.Request) -> web.Response:
        conid = request.query.get("conid", "")
        stock = BY_CONID.get(int(conid)) if conid.isdecimal() else None
        period, bar = request.query.get("period", "1w"), request.query.get("bar", "1d")
        whole, each = wording.seconds(period), wording.seconds(bar)
        if stock is None or whole is None or each is None or each > whole:
            return _error(400, "Bad Request: no such history")
        count = min(whole // each, wording.MOST_POINTS)
        now = int(clock.now().timestamp())
        found = prices.bars(stock.symbol, stock.around, seconds=each, count=count, now=now)
        return web.json_response(wording.history(stock, found, period=period, bar_seconds=each))

    def _status(self) -> wording.Json:
        session = self._desk.session
        return wording.status(
            is_logged_in=session.is_logged_in,
            is_authenticated=session.is_authenticated,
            is_competing=session.is_competing,
        )

    def _element(self, stock: Stock, fields: list[str]) -> wording.Json:
        desk = self._desk
        if not desk.session.stream(
            stock.conid, now=clock.monotonic(), after_seconds=desk.preflight_seconds
        ):
            return wording.preflight(stock.conid)
        tick = prices.tick(stock.symbol, stock.around, int(clock.now().timestamp()))
        prefix = "H" if stock.symbol in desk.halted else ""
        return wording.snapshot(stock, tick, fields, prefix=prefix)


def _error(status: int, told: str) -> web.Response:
    return web.json_response(wording.marked({"error": told, "statusCode": status}), status=status)


def _kept(desk: Desk, handler: Handler) -> Handler:
    """The handler, behind the pacing and the session."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(BASE)
        now = clock.monotonic()
        if not desk.watch.admit(path, now=now):
            return _error(429, "Too Many Requests")
        try:
            desk.session.heard(now=now)
            if desk.slow_seconds:
                await asyncio.sleep(desk.slow_seconds)
            refusal = desk.session.refusal(path)
            if refusal is Refusal.ACCOUNTS:
                return _error(400, refusal)
            if refusal:
                return _error(401, refusal)
            return await handler(request)
        finally:
            desk.watch.leave(path)

    return answer


def _admin(desk: Desk, app: web.Application) -> None:
    async def make(request: web.Request) -> web.Response:
        try:
            trouble = Trouble.model_validate_json(await request.read())
        except ValidationError as exc:
            return _error(422, f"{exc.error_count()} fields are wrong")
        desk.make(trouble, now=clock.monotonic())
        return web.json_response(desk.seen())

    async def seen(_request: web.Request) -> web.Response:
        return web.json_response(desk.seen())

    app.router.add_post("/simulator/trouble", make)
    app.router.add_get("/simulator/seen", seen)


async def _say_so(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Simulated"] = "true"


def simulator(settings: Settings) -> web.Application:
    """The application, with a session of its own that begins authenticated."""
    desk = Desk(
        session=Session(idle_seconds=settings.idle_seconds, last_asked=clock.monotonic()),
        watch=Watch(penalty_seconds=settings.penalty_seconds),
        preflight_seconds=settings.preflight_seconds,
    )
    app = application("cp_simulator", settings=settings)
    app.on_response_prepare.append(_say_so)
    paths = _Paths(desk)
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
            app.router.add_route(method, BASE + path, _kept(desk, handler))
    if settings.admin:
        _admin(desk, app)
    return app
