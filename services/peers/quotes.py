"""The client of cp_api, and the models of its answers: quotes, history and session status.

Prices are `Decimal` in Python and plain JSON numbers on the wire, in their shortest decimal form,
which our client reads back as the same `Decimal`. Never compute with floats made from them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar
from urllib.parse import quote as url_quote

import aiohttp
from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError

from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError

Price = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
_RETRY_SECONDS: Final = 5.0


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


_T = TypeVar("_T", bound=_Shape)


class Quote(_Shape):
    """The price of one symbol. Fields that Interactive Brokers omits are null, never zero."""

    symbol: str
    conid: int
    """Interactive Brokers' number of the contract."""
    name: str
    last: Price | None = None
    last_is: Literal["trade", "close", "halted"] = "trade"
    """`close` is the previous day's; `halted` is the last price before trading stopped."""
    bid: Price | None = None
    ask: Price | None = None
    change: Price | None = None
    """Since the previous day's close."""
    change_percent: Price | None = None
    volume: int | None = None
    currency: str
    at: datetime
    """When Interactive Brokers updated the data, in UTC."""
    delayed: bool = False
    simulated: bool = False
    """The simulator invented this price."""
    stale: bool = False
    """The gateway is unavailable, and this is the last known quote."""


class LookUp(_Shape):
    """The answer of `/quotes`: every requested symbol is in exactly one of the three."""

    quotes: tuple[Quote, ...]
    unknown: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


class Bar(_Shape):
    """One bar of history; `at` is its beginning."""

    at: datetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: int


class History(_Shape):
    """A symbol's bars, oldest first."""

    symbol: str
    period: str
    bar: str
    bars: tuple[Bar, ...]
    simulated: bool = False
    stale: bool = False


class SessionStatus(_Shape):
    """The status of the brokerage session, as cp_api last saw it."""

    reachable: bool
    """Whether the gateway answers at all."""
    authenticated: bool
    connected: bool
    competing: bool
    """The same user is logged in elsewhere, and gets the quotes there."""
    simulated: bool
    detail: str
    """One sentence for a person."""
    at: datetime


class QuotesAwayError(UnavailableError):
    """cp_api, the gateway or the session is unavailable; try again after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float = _RETRY_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Quotes:
    """cp_api over HTTP. The caller owns the HTTP session, with its limits and time-outs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def quote(self, symbol: str) -> Quote:
        """One quote; `GoneError` when the symbol is unknown."""
        answer = await self._get(
            f"/quotes/{url_quote(symbol, safe='')}", about=f"quote of {symbol}"
        )
        return _read(Quote, answer)

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """The quotes of `symbols` that there are, in their order."""
        return list((await self.look_up(symbols)).quotes)

    async def look_up(self, symbols: Sequence[str]) -> LookUp:
        """The quotes of `symbols`, with the unknown ones and those unavailable now."""
        if not symbols:
            return LookUp(quotes=())
        answer = await self._get("/quotes", {"symbols": ",".join(symbols)}, about="quotes")
        return _read(LookUp, answer)

    async def history(self, symbol: str, period: str = "1w", bar: str = "1d") -> History:
        """Bars as Interactive Brokers names them: `1w` of `1d`; `GoneError` as for a quote."""
        answer = await self._get(
            f"/history/{url_quote(symbol, safe='')}",
            {"period": period, "bar": bar},
            about=f"history of {symbol}",
        )
        return _read(History, answer)

    async def status(self) -> SessionStatus:
        """The session's status; an unavailable gateway is an answer, not an error."""
        return _read(SessionStatus, await self._get("/status", about="the session's status"))

    async def check(self) -> str | None:
        """For a service's readiness: None when cp_api answers, else a sentence."""
        try:
            await self.status()
        except ClusterError as exc:
            return str(exc)
        return None

    async def _get(
        self, path: str, params: Mapping[str, str] | None = None, *, about: str
    ) -> object:
        try:
            async with self._session.get(self._url + path, params=params) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise QuotesAwayError(f"{about}: the quote service does not answer") from exc
        if answer.status != 200:
            _refuse(answer, text, about)
        try:
            body: object = json.loads(text, parse_float=Decimal)
        except ValueError as exc:
            raise QuotesAwayError(f"{about}: the quote service's answer is not JSON") from exc
        return body


def _refuse(answer: aiohttp.ClientResponse, text: str, about: str) -> NoReturn:
    message = f"{about}: {_detail(text)}"
    if answer.status == 404:
        raise GoneError(message)
    if answer.status < 500 and answer.status != 429:
        raise RefusedError(message)
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        seconds = _RETRY_SECONDS
    raise QuotesAwayError(message, retry_after_seconds=seconds)


def _detail(text: str) -> str:
    try:
        problem: Any = json.loads(text)
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _read(shape: type[_T], body: object) -> _T:
    try:
        return shape.model_validate(body)
    except ValidationError as exc:
        raise QuotesAwayError("cannot read the quote service's answer") from exc
