"""Renders the quotes for a watch list as tiles, with notes above them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.peers.quotes import LookUp, Quote
from services.webservice.rendering import formatting, mood


@dataclass(frozen=True, slots=True)
class Tile:
    """The tile for one symbol."""

    symbol: str
    name: str
    last: Decimal | None
    currency: str
    tone: str
    change: str
    """The change as text, which is readable without colours."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """The values that the watch-list panel shows."""

    rows: Sequence[Tile]
    unknown: Sequence[str]
    unavailable: Sequence[str]
    is_simulated: bool
    is_stale: bool
    is_delayed: bool


def ticker(answer: LookUp) -> Ticker:
    """Return the values for the panel, and whether any quote is simulated, stale or delayed."""
    return Ticker(
        rows=[_tile(quote) for quote in answer.quotes],
        unknown=answer.unknown,
        unavailable=answer.unavailable,
        is_simulated=any(quote.simulated for quote in answer.quotes),
        is_stale=any(quote.stale for quote in answer.quotes),
        is_delayed=any(quote.delayed for quote in answer.quotes),
    )


def _tile(quote: Quote) -> Tile:
    tone = mood.tone(quote.change)
    sign = {"up": "▲", "down": "▼", "flat": "●"}[tone]
    if quote.last_is == "halted":
        change = "trading halted"
    elif quote.change is None:
        change = "at the last close" if quote.last_is == "close" else "change unknown"
    else:
        share = quote.change_percent
        percent = f" ({formatting.signed(share)}%)" if share is not None else ""
        change = f"{sign} {formatting.signed(quote.change)}{percent}"
    return Tile(quote.symbol, quote.name, quote.last, quote.currency, tone, change)
