"""A client for cp_api, and models for its responses: quotes, history and session status.

Prices are `Decimal` in Python and numbers in JSON. Converting a price to JSON and back does not
change its value. Never convert prices to floats for calculations.
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
    """The contract's id at Interactive Brokers."""
    name: str
    last: Price | None = None
    last_is: Literal["trade", "close", "halted"] = "trade"
    """The kind of price in `last`: a trade, the previous day's close, or the last price before a
    trading halt."""
    bid: Price | None = None
    ask: Price | None = None
    change: Price | None = None
    """The change since the previous day's close."""
    change_percent: Price | None = None
    volume: int | None = None
    currency: str
    at: datetime
    """When Interactive Brokers last updated the data, in UTC."""
    delayed: bool = False
    simulated: bool = False
    """Whether the simulator invented this price."""
    stale: bool = False
    """Whether this is the last known quote because the gateway is unavailable."""


class LookUp(_Shape):
    """The response to `/quotes`. Each requested symbol is in exactly one of the three fields."""

    quotes: tuple[Quote, ...]
    unknown: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()


class Bar(_Shape):
    """A price bar that starts at time `at`."""

    at: datetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: int


class History(_Shape):
    """A symbol's price bars, oldest first."""

    symbol: str
    period: str
    bar: str
    bars: tuple[Bar, ...]
    simulated: bool = False
    stale: bool = False


class SessionStatus(_Shape):
    """The status of the brokerage session when cp_api last checked it."""

    reachable: bool
    """Whether the gateway responds at all."""
    authenticated: bool
    connected: bool
    competing: bool
    """Whether the same user is logged in elsewhere and receives the quotes there."""
    simulated: bool
    detail: str
    """A description of the status for people, in one sentence."""
    at: datetime


class QuotesAwayError(UnavailableError):
    """Quotes are currently unavailable. Try again after `retry_after_seconds`."""

    def __init__(self, message: str, *, retry_after_seconds: float = _RETRY_SECONDS) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Quotes:
    """A client for cp_api. The caller creates, configures and closes the HTTP session."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def quote(self, symbol: str) -> Quote:
        """Return the quote for one symbol.

        Raises:
            GoneError: if the symbol is unknown.
        """
        answer = await self._get(
            f"/quotes/{url_quote(symbol, safe='')}", about=f"quote of {symbol}"
        )
        return _read(Quote, answer)

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the available quotes for `symbols`, in the same order."""
        return list((await self.look_up(symbols)).quotes)

    async def look_up(self, symbols: Sequence[str]) -> LookUp:
        """Return the available quotes, and the symbols that are unknown or have no quote."""
        if not symbols:
            return LookUp(quotes=())
        answer = await self._get("/quotes", {"symbols": ",".join(symbols)}, about="quotes")
        return _read(LookUp, answer)

    async def history(self, symbol: str, period: str = "1w", bar: str = "1d") -> History:
        """Return a symbol's price bars.

        `period` and `bar` use the Interactive Brokers notation, such as `1w` and `1d`.

        Raises:
            GoneError: if the symbol is unknown.
        """
        answer = await self._get(
            f"/history/{url_quote(symbol, safe='')}",
            {"period": period, "bar": bar},
            about=f"history of {symbol}",
        )
        return _read(History, answer)

    async def status(self) -> SessionStatus:
        """Return the status of the brokerage session, even if the gateway is unavailable."""
        return _read(SessionStatus, await self._get("/status", about="the session's status"))

    async def check(self) -> str | None:
        """Return None if cp_api responds, otherwise a description of the problem."""
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
                text = await answer.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise QuotesAwayError(f"{about}: the quote service did not respond") from exc
        if answer.status != 200:
            _refuse(answer, text, about)
        try:
            body: object = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as exc:
            raise QuotesAwayError(f"{about}: the quote service's response is not JSON") from exc
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
        raise QuotesAwayError("the quote service's response has an unexpected format") from exc
