"""The watch list's quotes as tiles: what is written on each, and what is said over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.peers.quotes import LookUp, Quote
from services.webservice.rendering import mood, wording


@dataclass(frozen=True, slots=True)
class Tile:
    """One symbol."""

    symbol: str
    name: str
    last: Decimal | None
    currency: str
    tone: str
    told: str
    """The change in words that need no colour."""


@dataclass(frozen=True, slots=True)
class Ticker:
    """The panel."""

    rows: Sequence[Tile]
    unknown: Sequence[str]
    unavailable: Sequence[str]
    is_simulated: bool
    is_stale: bool
    is_delayed: bool


def ticker(found: LookUp) -> Ticker:
    """One simulated, stale or delayed price is enough to say so over all."""
    return Ticker(
        rows=[_tile(one) for one in found.quotes],
        unknown=found.unknown,
        unavailable=found.unavailable,
        is_simulated=any(one.simulated for one in found.quotes),
        is_stale=any(one.stale for one in found.quotes),
        is_delayed=any(one.delayed for one in found.quotes),
    )


def _tile(quote: Quote) -> Tile:
    tone = mood.tone(quote.change)
    sign = {"up": "▲", "down": "▼", "flat": "●"}[tone]
    if quote.last_is == "halted":
        told = "trading halted"
    elif quote.change is None:
        told = "at the last close" if quote.last_is == "close" else "no change told"
    else:
        share = quote.change_percent
        percent = f" ({wording.signed(share)} %)" if share is not None else ""
        told = f"{sign} {wording.signed(quote.change)}{percent}"
    return Tile(quote.symbol, quote.name, quote.last, quote.currency, tone, told)
