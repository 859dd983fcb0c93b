"""The watch list's quotes as tiles, and the notes above them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.peers.quotes import LookUp, Quote
from services.webservice.rendering import formatting, mood


@dataclass(frozen=True, slots=True)
class Tile:
    """One symbol."""

    symbol: str
    name: str
    last: Decimal | None
    currency: str
    tone: str
    change: str
    """The change in words, readable without colour."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """The panel."""

    rows: Sequence[Tile]
    unknown: Sequence[str]
    unavailable: Sequence[str]
    is_simulated: bool
    is_stale: bool
    is_delayed: bool


def ticker(answer: LookUp) -> Ticker:
    """The panel; one simulated, stale or delayed price is enough for a note above all."""
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
        percent = f" ({formatting.signed(share)} %)" if share is not None else ""
        change = f"{sign} {formatting.signed(quote.change)}{percent}"
    return Tile(quote.symbol, quote.name, quote.last, quote.currency, tone, change)
