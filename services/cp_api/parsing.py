"""Converts the gateway's responses into quotes, contracts and bars. This module does no I/O.

Any field of a response may be missing.

According to the Interactive Brokers Web API documentation:

- Numbers in a snapshot are text with thousands separators. Volumes may be rounded, with the
  suffix K or M.
- The last price may begin with C (previous day's close) or H (trading is halted).
- The first letter of field 6509 is R (real time), D (delayed), Z (frozen), Y (frozen and delayed)
  or N (not subscribed).
- `_updated` is in milliseconds.
- A bar's prices are in dollars, not cents: `priceFactor` applies only to the response's `high` and
  `low`. A bar's volume must be multiplied by `volumeFactor`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from services.peers.quotes import Bar, History, Quote

FIELDS: Final = ("31", "55", "82", "83", "84", "86", "87", "6509", "7051")
"""Last price, symbol, change, change in percent, bid, ask, volume, availability, company name."""
_SCALES: Final = {"K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_LAST_IS: Final[Mapping[str, Literal["close", "halted"]]] = {"C": "close", "H": "halted"}
_YEAR_2100: Final = 4_102_444_800_000
"""In milliseconds. Later values are not valid times."""
_MOST_CHARACTERS: Final = 40
_MOST_DIGITS: Final = 20
"""Before and after the point. A number such as 1e999999999 would take all memory as an integer."""
_DELAYED: Final = frozenset("DY")


@dataclass(frozen=True, slots=True)
class Contract:
    """The Interactive Brokers contract for a symbol."""

    symbol: str
    """The symbol in our callers' spelling."""
    conid: int
    name: str
    currency: str


def number(value: object) -> Decimal | None:
    """Parse a number from the gateway. Return None if the value is missing or not a number."""
    text = str(value).strip().replace(",", "").removesuffix("%")
    try:
        parsed = Decimal(text) if len(text) <= _MOST_CHARACTERS else None
    except InvalidOperation:
        return None
    if parsed is None or not parsed.is_finite() or abs(parsed.adjusted()) > _MOST_DIGITS:
        return None
    return parsed


def volume(value: object) -> int | None:
    """Parse a volume such as 1,234 or 12.3M. Return None if the value is not a volume."""
    text = str(value).strip().upper()
    scale = _SCALES.get(text[-1:], 1)
    shown = number(text[:-1] if scale > 1 else text)
    return None if shown is None else int(shown * scale)


def last(value: object) -> tuple[Decimal | None, Literal["trade", "close", "halted"]]:
    """Parse the last price. Return the price and its kind: trade, close or halted."""
    text = str(value or "").strip()
    kind = _LAST_IS.get(text[:1].upper())
    if kind is None:
        return number(text), "trade"
    return number(text[1:]), kind


def has_data(element: Mapping[str, Any]) -> bool:
    """Return whether a snapshot element has prices. A pre-flight response has none."""
    return "31" in element or ("84" in element and "86" in element)


def is_subscribed(element: Mapping[str, Any]) -> bool:
    """Return whether the user is subscribed to the contract's data, or True if this is unknown."""
    return not str(element.get("6509", "")).upper().startswith("N")


def quote(
    element: Mapping[str, Any], contract: Contract, *, now: datetime, simulated: bool
) -> Quote:
    """Return the quote in a snapshot element, which must contain data."""
    price, kind = last(element.get("31"))
    return Quote(
        symbol=contract.symbol,
        conid=contract.conid,
        name=str(element.get("7051") or contract.name),
        last=price,
        last_is=kind,
        bid=number(element.get("84")),
        ask=number(element.get("86")),
        change=number(element.get("82")),
        change_percent=number(element.get("83")),
        volume=volume(element.get("87", "")),
        currency=contract.currency,
        at=_moment(element.get("_updated")) or now,
        delayed=str(element.get("6509", ""))[:1].upper() in _DELAYED,
        simulated=simulated or element.get("simulated") is True,
    )


def elements(body: object) -> dict[int, Mapping[str, Any]]:
    """Return a snapshot's elements by contract id (conid). Omit elements without a conid."""
    by_conid = {}
    for element in _objects(body):
        if isinstance(element.get("conid"), int):
            by_conid[element["conid"]] = element
    return by_conid


def conids(body: object, symbols: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return the contract id (conid) and company name for each known symbol.

    Only stocks listed in the United States are included, because our symbols come from American
    news. On a foreign exchange, the same symbol may belong to a different company.
    """
    contracts = {}
    for symbol in symbols:
        companies = body.get(symbol) if isinstance(body, Mapping) else None
        contract = _first_american(_objects(companies))
        if contract is not None:
            contracts[symbol] = contract
    return contracts


def _first_american(companies: Iterable[Mapping[str, Any]]) -> tuple[int, str] | None:
    for company in companies:
        if company.get("assetClass", "STK") != "STK":
            continue
        for contract in _objects(company.get("contracts")):
            if contract.get("isUS") and isinstance(contract.get("conid"), int):
                return contract["conid"], str(company.get("name") or "")
    return None


def currencies(body: object) -> dict[int, str]:
    """Return the currency of each contract, by contract id (conid)."""
    return {
        definition["conid"]: str(definition.get("currency") or "USD")
        for definition in _objects(body.get("secdef") if isinstance(body, Mapping) else None)
        if isinstance(definition.get("conid"), int)
    }


def history(body: object, *, symbol: str, period: str, bar: str, simulated: bool) -> History | None:
    """Return the price history, oldest bar first, or None if the response has no list of bars.

    Bars that lack a time or a price are omitted.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("data"), list):
        return None
    factor = number(body.get("volumeFactor")) or Decimal(1)
    bars = [parsed for row in _objects(body["data"]) if (parsed := _bar(row, factor))]
    return History(
        symbol=symbol,
        period=period,
        bar=bar,
        bars=tuple(sorted(bars, key=lambda parsed: parsed.at)),
        simulated=simulated or body.get("simulated") is True,
    )


def _bar(row: Mapping[str, Any], volume_factor: Decimal) -> Bar | None:
    at = _moment(row.get("t"))
    prices = [number(row.get(name)) for name in "ohlc"]
    if at is None or None in prices:
        return None
    opened, high, low, close = (price for price in prices if price is not None)
    traded = (number(row.get("v")) or Decimal(0)) * volume_factor
    return Bar(at=at, open=opened, high=high, low=low, close=close, volume=int(traded))


def _objects(value: object) -> list[Mapping[str, Any]]:
    """Return the list items that are JSON objects, or an empty list if the value is not a list."""
    if not isinstance(value, list):
        return []
    return [element for element in value if isinstance(element, Mapping)]


def _moment(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or not 0 < milliseconds < _YEAR_2100:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
