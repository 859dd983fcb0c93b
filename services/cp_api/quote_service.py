"""Serves quotes and history: either fresh data, or the last known data, marked as stale.

Rule: never invent a quote. For each symbol, return a quote that Interactive Brokers sent within the
last fifteen minutes. If there is no such quote, report the symbol as unknown or unavailable.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from prometheus_client import Counter

from runtime import clock
from runtime.errors import GoneError, UnavailableError
from runtime.streams import together
from services.cp_api import parsing, queries
from services.cp_api.batching import Batcher, Due
from services.cp_api.cache import Ages, Cache
from services.cp_api.paced_gateway import AwayError, PacedGateway
from services.cp_api.parsing import Contract
from services.cp_api.queries import Span
from services.cp_api.shared_calls import SharedCalls
from services.peers.quotes import History, LookUp, Quote

T = TypeVar("T")

_SERVED: Final = Counter("cp_quotes_total", "Quotes served, by freshness", ["freshness"])
_DAY_SECONDS: Final = 86_400.0
QUOTES: Final = Ages(fresh_seconds=2.0, stale_seconds=900.0)
CONTRACTS: Final = Ages(fresh_seconds=_DAY_SECONDS, stale_seconds=7 * _DAY_SECONDS)
UNKNOWN: Final = Ages(fresh_seconds=600.0, stale_seconds=600.0)
"""How long a symbol counts as unknown. The time is limited, because stocks may be newly listed."""
HISTORY_STALE_SECONDS: Final = _DAY_SECONDS
_MOST_AT_ONCE: Final = 50


def history_seconds(span: Span) -> float:
    """Return how long a price history stays fresh, in seconds.

    This is a quarter of the bar length, but at least 10 seconds and at most 15 minutes.
    """
    return min(max(span.bar_seconds / 4, 10.0), 900.0)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    element: Mapping[str, Any]
    simulated: bool


class QuoteService:
    """Fetches and caches quotes and price histories. Call `run` in a background task."""

    def __init__(
        self, gateway: PacedGateway, *, answer_seconds: float, history_at_once: int
    ) -> None:
        self._gateway = gateway
        self._answer_seconds = answer_seconds
        self._history_slots = asyncio.Semaphore(history_at_once)
        self._quotes: Cache[str, Quote] = Cache(QUOTES)
        self._contracts: Cache[str, Contract] = Cache(CONTRACTS)
        self._unknown: Cache[str, bool] = Cache(UNKNOWN)
        self._histories: Cache[tuple[str, Span], History] = Cache(
            Ages(fresh_seconds=0.0, stale_seconds=HISTORY_STALE_SECONDS), most=500
        )
        self._history_calls: SharedCalls[tuple[str, Span], History] = SharedCalls("history")
        self._contract_batches: Batcher[str, Contract | None] = Batcher(
            "contracts",
            self._ask_contracts,
            most=_MOST_AT_ONCE,
            patience_seconds=answer_seconds,
        )
        self._quote_batches: Batcher[int, _Snapshot] = Batcher(
            "quotes", self._ask_quotes, most=_MOST_AT_ONCE, patience_seconds=answer_seconds
        )

    async def run(self) -> None:
        """Send the batched requests until cancelled."""
        async with self._history_calls:
            await together(contracts=self._contract_batches.run(), quotes=self._quote_batches.run())

    async def quotes(self, symbols: Sequence[str]) -> LookUp:
        """Return the available quotes and the symbols that are unknown or unavailable.

        Raises:
            AwayError: if every symbol is unavailable.
        """
        answers = await asyncio.gather(*map(self._quote, symbols))
        by_symbol = dict(zip(symbols, answers, strict=True))
        errors = {
            symbol: answer for symbol, answer in by_symbol.items() if isinstance(answer, AwayError)
        }
        if errors and len(errors) == len(by_symbol):
            raise next(iter(errors.values()))
        return LookUp(
            quotes=tuple(answer for answer in answers if isinstance(answer, Quote)),
            unknown=tuple(symbol for symbol, answer in by_symbol.items() if answer is None),
            unavailable=tuple(errors),
        )

    async def quote(self, symbol: str) -> Quote:
        """Return a symbol's quote.

        Raises:
            GoneError: if the symbol is unknown.
            AwayError: if the quote is unavailable.
        """
        answer = await self._quote(symbol)
        if isinstance(answer, AwayError):
            raise answer
        if answer is None:
            raise _unknown(symbol)
        return answer

    async def history(self, symbol: str, span: Span) -> History:
        """Return a symbol's price history for a period.

        Raises:
            GoneError: if the symbol is unknown.
            AwayError: if the history is unavailable.
        """
        key = (symbol, span)
        now = clock.monotonic()
        fresh = self._histories.fresh(key, now=now, fresh_seconds=history_seconds(span))
        if fresh is not None:
            return fresh
        try:
            return await self._history_calls.join(
                key, lambda: self._in_time(self._fetch_history(symbol, span))
            )
        except AwayError:
            stale = self._histories.stale(key, now=clock.monotonic())
            if stale is None:
                raise
            return stale.model_copy(update={"stale": True})

    async def _quote(self, symbol: str) -> Quote | AwayError | None:
        fresh = self._quotes.fresh(symbol, now=clock.monotonic())
        if fresh is not None:
            _SERVED.labels("kept").inc()
            return fresh
        try:
            quote = await self._in_time(self._fetch_quote(symbol))
        except AwayError as exc:
            stale = self._quotes.stale(symbol, now=clock.monotonic())
            _SERVED.labels("unavailable" if stale is None else "stale").inc()
            return exc if stale is None else stale.model_copy(update={"stale": True})
        if quote is not None:
            _SERVED.labels("fresh").inc()
        return quote

    async def _fetch_quote(self, symbol: str) -> Quote | None:
        contract = await self._contract(symbol)
        if contract is None:
            return None
        snapshot = await self._quote_batches.get(contract.conid)
        if not parsing.has_data(snapshot.element):
            raise AwayError(
                f"The Interactive Brokers user has no subscription to quotes for {symbol}.",
                retry_after_seconds=UNKNOWN.fresh_seconds,
            )
        quote = parsing.quote(
            snapshot.element, contract, now=clock.now(), simulated=snapshot.simulated
        )
        self._quotes.put(symbol, quote, now=clock.monotonic())
        return quote

    async def _contract(self, symbol: str) -> Contract | None:
        now = clock.monotonic()
        fresh = self._contracts.fresh(symbol, now=now)
        if fresh is not None:
            return fresh
        if self._unknown.fresh(symbol, now=now):
            return None
        try:
            contract = await self._contract_batches.get(symbol)
        except UnavailableError:
            stale = self._contracts.stale(symbol, now=clock.monotonic())
            if stale is None:
                raise
            return stale
        now = clock.monotonic()
        if contract is None:
            self._unknown.put(symbol, value=True, now=now)
        else:
            self._contracts.put(symbol, contract, now=now)
        return contract

    async def _fetch_history(self, symbol: str, span: Span) -> History:
        contract = await self._contract(symbol)
        if contract is None:
            raise _unknown(symbol)
        async with self._history_slots:
            answer = await self._gateway.ask(
                "history",
                lambda gateway: gateway.history(contract.conid, span.period, span.bar),
                in_session=True,
            )
        history = parsing.history(
            answer.body,
            symbol=symbol,
            period=span.period,
            bar=span.bar,
            simulated=answer.simulated,
        )
        if history is None:
            raise AwayError("Interactive Brokers has no history for this period at the moment.")
        self._histories.put((symbol, span), history, now=clock.monotonic())
        return history

    async def _in_time(self, request: Awaitable[T]) -> T:
        """Return a request's result. Raise `AwayError` if the request fails or takes too long."""
        try:
            async with asyncio.timeout(self._answer_seconds):
                return await request
        except AwayError:
            raise
        except (TimeoutError, UnavailableError) as exc:
            raise AwayError(
                f"Interactive Brokers did not respond in time ({exc or 'no response'})."
            ) from exc

    async def _ask_contracts(self, due: Due[str]) -> dict[str, Contract | None]:
        symbols: dict[str, str] = {}

        def spellings() -> list[str]:
            symbols.clear()
            symbols.update({queries.gateway_symbol(symbol): symbol for symbol in due()})
            return list(symbols)

        answer = await self._gateway.ask(
            "stocks", lambda gateway: gateway.stocks(spellings()), in_session=False
        )
        known = parsing.conids(answer.body, symbols)
        currencies: dict[int, str] = {}
        if known:
            conids = [conid for conid, _ in known.values()]
            definitions = await self._gateway.ask(
                "secdef", lambda gateway: gateway.definitions(conids), in_session=False
            )
            currencies = parsing.currencies(definitions.body)
        contracts: dict[str, Contract | None] = dict.fromkeys(symbols.values())
        for spelling, (conid, name) in known.items():
            symbol = symbols[spelling]
            contracts[symbol] = Contract(symbol, conid, name, currencies.get(conid, "USD"))
        return contracts

    async def _ask_quotes(self, due: Due[int]) -> dict[int, _Snapshot]:
        answer = await self._gateway.ask(
            "marketdata/snapshot",
            lambda gateway: gateway.snapshot(due(), parsing.FIELDS),
            in_session=True,
        )
        return {
            conid: _Snapshot(element, answer.simulated)
            for conid, element in parsing.elements(answer.body).items()
            if parsing.has_data(element) or not parsing.is_subscribed(element)
        }


def _unknown(symbol: str) -> GoneError:
    return GoneError(f"Interactive Brokers has no stock with the symbol {symbol}.")
