"""Builds responses in the gateway's format. Each response contains `simulated: true`.

According to the Interactive Brokers documentation, numbers in snapshots are strings with thousands
separators, volumes end in K or M, the last price may begin with C or H, and fields may be missing.
The simulator reproduces these quirks so that tests cover them.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.cp_simulator.catalogue import Stock
from services.cp_simulator.prices import DAY_SECONDS, Bar, Tick

Json = dict[str, Any]
_SERVER: Final = {"serverName": "simulator", "serverVersion": "Spotswarm"}
_UNITS: Final = {"min": 60, "h": 3600, "d": DAY_SECONDS, "w": 7 * DAY_SECONDS}
_LONG_UNITS: Final = {"m": 30 * DAY_SECONDS, "y": 365 * DAY_SECONDS}
MOST_POINTS: Final = 1000


def marked(answer: Json) -> Json:
    """Return a copy of a response with `simulated: true` added."""
    return answer | {"simulated": True}


def status(*, is_logged_in: bool, is_authenticated: bool, is_competing: bool) -> Json:
    """Return the response for /iserver/auth/status."""
    return marked(
        {
            "authenticated": is_authenticated,
            "competing": is_competing,
            "connected": is_logged_in,
            "message": "",
            "MAC": "00:00:00:00:00:00",
            "serverInfo": _SERVER,
            "fail": "",
        }
    )


def tickle(auth_status: Json) -> Json:
    """Return the response for /tickle, which contains the session's status."""
    return marked(
        {
            "session": "simulated",
            "ssoExpires": 600_000,
            "collission": False,  # misspelled by the gateway
            "userId": 0,
            "hmds": {"error": "no bridge"},
            "iserver": {"authStatus": auth_status},
        }
    )


def validation() -> Json:
    """Return the response for /sso/validate."""
    return marked({"USER_ID": 0, "USER_NAME": "simulated", "RESULT": True, "EXPIRES": 600_000})


def accounts() -> Json:
    """Return the response for /iserver/accounts."""
    return marked(
        {
            "accounts": ["DU0000000"],
            "acctProps": {},
            "aliases": {"DU0000000": "simulated"},
            "selectedAccount": "DU0000000",
        }
    )


def stocks(companies: Iterable[tuple[str, Stock | None]]) -> Json:
    """Return the response for /trsrv/stocks: a list of companies for each symbol.

    The list is empty if the symbol is unknown.
    """
    return marked({symbol: [_company(stock)] if stock else [] for symbol, stock in companies})


def _company(stock: Stock) -> Json:
    contract = {"conid": stock.conid, "exchange": stock.exchange, "isUS": True}
    return marked(
        {"name": stock.name, "chineseName": "", "assetClass": "STK", "contracts": [contract]}
    )


def search(stock: Stock) -> Json:
    """Return one element of the response for /iserver/secdef/search."""
    return marked(
        {
            "conid": str(stock.conid),
            "companyHeader": f"{stock.name} - {stock.exchange}",
            "companyName": stock.name,
            "symbol": stock.symbol,
            "description": stock.exchange,
            "sections": [{"secType": "STK"}],
        }
    )


def definition(stock: Stock) -> Json:
    """Return one element of the response for /trsrv/secdef."""
    return marked(
        {
            "conid": stock.conid,
            "currency": "USD",
            "name": stock.name,
            "assetClass": "STK",
            "ticker": stock.symbol,
            "listingExchange": stock.exchange,
            "hasOptions": True,
        }
    )


def preflight(conid: int) -> Json:
    """Return a snapshot element without data, as in the gateway's pre-flight responses."""
    return marked({"conid": conid, "conidEx": str(conid)})


def snapshot(stock: Stock, tick: Tick, fields: Sequence[str], *, prefix: str = "") -> Json:
    """Return a snapshot element with the requested fields.

    `prefix` is C, H or an empty string, and is placed before the last price.
    """
    change = round(tick.last, 2) - round(tick.previous_close, 2)
    known = {
        "31": prefix + _text(tick.last),
        "55": stock.symbol,
        "82": f"{change:+.2f}",
        "83": f"{100 * change / tick.previous_close:.2f}%",
        "84": _text(math.floor(tick.bid * 100) / 100),
        "86": _text(math.ceil(tick.ask * 100) / 100),
        "87": _volume(tick.volume),
        "7221": stock.exchange,
        "7051": stock.name,
        "6509": "RpB",
    }
    requested = {name: known[name] for name in (*fields, "6509") if name in known}
    return preflight(stock.conid) | {
        **requested,
        "_updated": tick.at * 1000,
        "server_id": "q0",
        "6119": "q0",
    }


def _text(value: float) -> str:
    return f"{value:,.2f}"


def _volume(value: int) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:.2f}M"
    return f"{value / 1000:.1f}K" if value >= 10_000 else f"{value:,}"


def seconds(span: str) -> int | None:
    """Return the length in seconds of a time span such as `5min`, `1d`, `2w`, `1m` or `1y`.

    Return None if the text is not a time span.
    """
    for unit, length in (_UNITS | _LONG_UNITS).items():
        number = span.removesuffix(unit)
        if number != span and number.isdecimal() and int(number) > 0:
            return int(number) * length
    return None


def history(stock: Stock, bars: Sequence[Bar], *, period: str, bar_seconds: int) -> Json:
    """Return the response for /iserver/marketdata/history.

    `priceFactor` applies only to the fields `high` and `low`, not to the prices in the bars.
    """
    highest = max(bars, key=lambda bar: bar.high)
    lowest = min(bars, key=lambda bar: bar.low)
    began = datetime.fromtimestamp(bars[0].at, UTC)
    return marked(
        {
            "serverId": "0",
            "symbol": stock.symbol,
            "text": stock.name.upper(),
            "priceFactor": 100,
            "startTime": began.strftime("%Y%m%d-%H:%M:%S"),
            "high": f"{math.ceil(highest.high * 100)}/{highest.volume}/0",
            "low": f"{math.floor(lowest.low * 100)}/{lowest.volume}/0",
            "timePeriod": period,
            "barLength": bar_seconds,
            "mdAvailability": "S",
            "mktDataDelay": 0,
            "outsideRth": False,
            "volumeFactor": 1,
            "priceDisplayRule": 1,
            "priceDisplayValue": "2",
            "negativeCapable": False,
            "messageVersion": 2,
            "data": [_bar(bar) for bar in bars],
            "points": len(bars) - 1,
            "travelTime": 0,
        }
    )


def _bar(bar: Bar) -> Json:
    return {
        "o": round(bar.open, 2),
        "c": round(bar.close, 2),
        "h": math.ceil(bar.high * 100) / 100,
        "l": math.floor(bar.low * 100) / 100,
        "v": bar.volume,
        "t": bar.at * 1000,
    }
