"""Quotes and history: fresh, or what was last heard with the word that it is stale.

Rule: nothing is made up. A symbol has a quote the broker gave within fifteen minutes, or is
unknown because the broker said so, or is unavailable.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from prometheus_client import Counter

from runtime import clock
from runtime.errors import GoneError, UnavailableError
from runtime.streams import together
from services.cp_api import asked, reading
from services.cp_api.asked import Span
from services.cp_api.broker import AwayError, Broker
from services.cp_api.flights import Flights
from services.cp_api.gathering import Due, Gathering
from services.cp_api.reading import Contract
from services.cp_api.shelf import Ages, Shelf
from services.peers.quotes import History, LookUp, Quote

T = TypeVar("T")

_SERVED: Final = Counter("cp_quotes_total", "Quotes given", ["freshness"])
_DAY_SECONDS: Final = 86_400.0
QUOTES: Final = Ages(fresh_seconds=2.0, stale_seconds=900.0)
CONTRACTS: Final = Ages(fresh_seconds=_DAY_SECONDS, stale_seconds=7 * _DAY_SECONDS)
UNKNOWN: Final = Ages(fresh_seconds=600.0, stale_seconds=600.0)
"""A symbol that the broker does not know may be listed later."""
HISTORY_STALE_SECONDS: Final = _DAY_SECONDS
_MOST_AT_ONCE: Final = 50


def history_seconds(span: Span) -> float:
    """How long a history is fresh: a quarter of a bar, between ten seconds and a quarter hour."""
    return min(max(span.bar_seconds / 4, 10.0), 900.0)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    element: Mapping[str, Any]
    simulated: bool


class Market:
    """What cp_api answers with; `run` must be running."""

    def __init__(self, broker: Broker, *, answer_seconds: float, history_at_once: int) -> None:
        self._broker = broker
        self._answer_seconds = answer_seconds
        self._places = asyncio.Semaphore(history_at_once)
        self._quotes: Shelf[str, Quote] = Shelf(QUOTES)
        self._contracts: Shelf[str, Contract] = Shelf(CONTRACTS)
        self._unknown: Shelf[str, bool] = Shelf(UNKNOWN)
        self._histories: Shelf[tuple[str, Span], History] = Shelf(
            Ages(fresh_seconds=0.0, stale_seconds=HISTORY_STALE_SECONDS), most=500
        )
        self._flights: Flights[tuple[str, Span], History] = Flights("history")
        self._contract_wishes: Gathering[str, Contract | None] = Gathering(
            "contracts",
            self._ask_contracts,
            most=_MOST_AT_ONCE,
            patience_seconds=answer_seconds,
        )
        self._quote_wishes: Gathering[int, _Snapshot] = Gathering(
            "quotes", self._ask_quotes, most=_MOST_AT_ONCE, patience_seconds=answer_seconds
        )

    async def run(self) -> None:
        """Ask the broker for what is wanted, until cancelled."""
        async with self._flights:
            await together(contracts=self._contract_wishes.run(), quotes=self._quote_wishes.run())

    async def quotes(self, symbols: Sequence[str]) -> LookUp:
        """Each symbol's quote, or that it is unknown or unavailable; `AwayError` when all are."""
        found = await asyncio.gather(*map(self._quote, symbols))
        each = dict(zip(symbols, found, strict=True))
        away = {symbol: one for symbol, one in each.items() if isinstance(one, AwayError)}
        if away and len(away) == len(each):
            raise next(iter(away.values()))
        return LookUp(
            quotes=tuple(one for one in found if isinstance(one, Quote)),
            unknown=tuple(symbol for symbol, one in each.items() if one is None),
            unavailable=tuple(away),
        )

    async def quote(self, symbol: str) -> Quote:
        """One symbol's quote; `GoneError` when the broker knows none, `AwayError` when away."""
        found = await self._quote(symbol)
        if isinstance(found, AwayError):
            raise found
        if found is None:
            raise _unknown(symbol)
        return found

    async def history(self, symbol: str, span: Span) -> History:
        """One symbol's bars; errors as for a quote."""
        key = (symbol, span)
        now = clock.monotonic()
        kept = self._histories.fresh(key, now=now, fresh_seconds=history_seconds(span))
        if kept is not None:
            return kept
        try:
            return await self._flights.join(key, lambda: self._in_time(self._fly(symbol, span)))
        except AwayError:
            stale = self._histories.stale(key, now=clock.monotonic())
            if stale is None:
                raise
            return stale.model_copy(update={"stale": True})

    async def _quote(self, symbol: str) -> Quote | AwayError | None:
        kept = self._quotes.fresh(symbol, now=clock.monotonic())
        if kept is not None:
            _SERVED.labels("kept").inc()
            return kept
        try:
            found = await self._in_time(self._fresh(symbol))
        except AwayError as exc:
            stale = self._quotes.stale(symbol, now=clock.monotonic())
            _SERVED.labels("unavailable" if stale is None else "stale").inc()
            return exc if stale is None else stale.model_copy(update={"stale": True})
        if found is not None:
            _SERVED.labels("fresh").inc()
        return found

    async def _fresh(self, symbol: str) -> Quote | None:
        contract = await self._contract(symbol)
        if contract is None:
            return None
        told = await self._quote_wishes.get(contract.conid)
        if not reading.has_data(told.element):
            raise AwayError(
                f"The broker's user has no right to quotes of {symbol}.",
                retry_after_seconds=UNKNOWN.fresh_seconds,
            )
        quote = reading.quote(told.element, contract, now=clock.now(), simulated=told.simulated)
        self._quotes.put(symbol, quote, now=clock.monotonic())
        return quote

    async def _contract(self, symbol: str) -> Contract | None:
        now = clock.monotonic()
        kept = self._contracts.fresh(symbol, now=now)
        if kept is not None:
            return kept
        if self._unknown.fresh(symbol, now=now):
            return None
        try:
            found = await self._contract_wishes.get(symbol)
        except UnavailableError:
            stale = self._contracts.stale(symbol, now=clock.monotonic())
            if stale is None:
                raise
            return stale
        now = clock.monotonic()
        if found is None:
            self._unknown.put(symbol, value=True, now=now)
        else:
            self._contracts.put(symbol, found, now=now)
        return found

    async def _fly(self, symbol: str, span: Span) -> History:
        contract = await self._contract(symbol)
        if contract is None:
            raise _unknown(symbol)
        async with self._places:
            answer = await self._broker.ask(
                "history",
                lambda gateway: gateway.history(contract.conid, span.period, span.bar),
                in_session=True,
            )
        found = reading.history(
            answer.body,
            symbol=symbol,
            period=span.period,
            bar=span.bar,
            simulated=answer.simulated,
        )
        if found is None:
            raise AwayError("The broker has no such history now.")
        self._histories.put((symbol, span), found, now=clock.monotonic())
        return found

    async def _in_time(self, asking: Awaitable[T]) -> T:
        """Whatever goes wrong outside becomes an `AwayError`, within the time for an answer."""
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await asking
        except AwayError:
            raise
        except (TimeoutError, UnavailableError) as exc:
            raise AwayError(f"The broker did not answer in time ({exc or 'no answer'}).") from exc

    async def _ask_contracts(self, due: Due[str]) -> dict[str, Contract | None]:
        wanted: dict[str, str] = {}

        def spelt() -> list[str]:
            wanted.clear()
            wanted.update({asked.broker_symbol(symbol): symbol for symbol in due()})
            return list(wanted)

        answer = await self._broker.ask(
            "stocks", lambda gateway: gateway.stocks(spelt()), in_session=False
        )
        known = reading.conids(answer.body, wanted)
        currencies: dict[int, str] = {}
        if known:
            numbers = [conid for conid, _ in known.values()]
            told = await self._broker.ask(
                "secdef", lambda gateway: gateway.definitions(numbers), in_session=False
            )
            currencies = reading.currencies(told.body)
        found: dict[str, Contract | None] = dict.fromkeys(wanted.values())
        for spelling, (conid, name) in known.items():
            symbol = wanted[spelling]
            found[symbol] = Contract(symbol, conid, name, currencies.get(conid, "USD"))
        return found

    async def _ask_quotes(self, due: Due[int]) -> dict[int, _Snapshot]:
        answer = await self._broker.ask(
            "marketdata/snapshot",
            lambda gateway: gateway.snapshot(due(), reading.FIELDS),
            in_session=True,
        )
        return {
            conid: _Snapshot(element, answer.simulated)
            for conid, element in reading.elements(answer.body).items()
            if reading.has_data(element) or not reading.is_subscribed(element)
        }


def _unknown(symbol: str) -> GoneError:
    return GoneError(f"The broker knows no stock {symbol}.")
