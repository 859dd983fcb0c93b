"""cp_api's client, and the shapes it answers in: quotes, history, and how the session is.

Prices are `Decimal` inside and plain JSON numbers on the wire: their shortest decimal form, which
every reader of JSON understands and ours reads back to the same `Decimal`. Never compute with
floats made from them.
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
    """What one symbol is worth. Fields the broker does not tell are null, never zero."""

    symbol: str
    conid: int
    """Interactive Brokers' number of the contract."""
    name: str
    last: Price | None = None
    last_is: Literal["trade", "close", "halted"] = "trade"
    """A close is the previous day's; halted is the last price before trading was stopped."""
    bid: Price | None = None
    ask: Price | None = None
    change: Price | None = None
    """Against the previous day's close."""
    change_percent: Price | None = None
    volume: int | None = None
    currency: str
    at: datetime
    """When the broker's data is from, in UTC."""
    delayed: bool = False
    simulated: bool = False
    """No market ever saw this price."""
    stale: bool = False
    """The gateway is away and this is the last that it said."""


class LookUp(_Shape):
    """Answer of `/quotes`: every symbol asked for is in exactly one of the three."""

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
    """How the broker's session is, as far as cp_api knows."""

    reachable: bool
    """Whether the gateway answers at all."""
    authenticated: bool
    connected: bool
    competing: bool
    """The same user is logged in elsewhere, which has the market data."""
    simulated: bool
    detail: str
    """One sentence for a person."""
    at: datetime


class QuotesAwayError(UnavailableError):
    """cp_api, the gateway or the session is away; `retry_after_seconds` says for how long."""

    def __init__(self, told: str, *, retry_after_seconds: float = _RETRY_SECONDS) -> None:
        super().__init__(told)
        self.retry_after_seconds = retry_after_seconds


class Quotes:
    """cp_api over HTTP; the session is the caller's, and bounded by it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def quote(self, symbol: str) -> Quote:
        """One quote; `GoneError` when the broker knows no such symbol."""
        told = await self._get(f"/quotes/{url_quote(symbol, safe='')}", about=f"quote of {symbol}")
        return _read(Quote, told)

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """What can be had of `symbols`, in their order; unknown ones are left out."""
        return list((await self.look_up(symbols)).quotes)

    async def look_up(self, symbols: Sequence[str]) -> LookUp:
        """The same with the symbols that are unknown, and those that cannot be had just now."""
        if not symbols:
            return LookUp(quotes=())
        told = await self._get("/quotes", {"symbols": ",".join(symbols)}, about="quotes")
        return _read(LookUp, told)

    async def history(self, symbol: str, period: str = "1w", bar: str = "1d") -> History:
        """Bars as Interactive Brokers names them: `1w` of `1d`; `GoneError` as for a quote."""
        told = await self._get(
            f"/history/{url_quote(symbol, safe='')}",
            {"period": period, "bar": bar},
            about=f"history of {symbol}",
        )
        return _read(History, told)

    async def status(self) -> SessionStatus:
        """How the session is; a gateway that is away is an answer, not an error."""
        return _read(SessionStatus, await self._get("/status", about="the session's status"))

    async def check(self) -> str | None:
        """None when cp_api answers, else a sentence: for a service's readiness."""
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
            found: object = json.loads(text, parse_float=Decimal)
        except ValueError as exc:
            raise QuotesAwayError(f"{about}: the quote service said what is not JSON") from exc
        return found


def _refuse(answer: aiohttp.ClientResponse, text: str, about: str) -> NoReturn:
    told = f"{about}: {_detail(text)}"
    if answer.status == 404:
        raise GoneError(told)
    if answer.status < 500 and answer.status != 429:
        raise RefusedError(told)
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        seconds = _RETRY_SECONDS
    raise QuotesAwayError(told, retry_after_seconds=seconds)


def _detail(text: str) -> str:
    try:
        problem: Any = json.loads(text)
        return str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _read(shape: type[_T], told: object) -> _T:
    try:
        return shape.model_validate(told)
    except ValidationError as exc:
        raise QuotesAwayError("the quote service answers in a shape we do not know") from exc
