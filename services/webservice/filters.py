"""Reads the dashboard's filters from a URL, and creates links that keep the filters.

Rule: ignore invalid values, so that an invalid URL shows news instead of an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from services.webservice.rendering.formatting import LABELS, topic
from services.webservice.watch_list import symbol as parse_symbol

DAYS: Final = (7, 30, 90)
_USUAL_DAYS: Final = DAYS[0]
_LONGEST: Final = 60
_LONGEST_CURSOR: Final = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """The dashboard's filters."""

    symbol: str | None = None
    topic: str | None = None
    label: str | None = None
    days: int = _USUAL_DAYS
    cursor: str | None = None

    @property
    def is_set(self) -> bool:
        """Return whether any filter excludes articles."""
        return bool(self.symbol or self.topic or self.label)

    @property
    def summary(self) -> str:
        """Return the filters as text, such as "AAPL, Earnings, negative", or "" if none are set."""
        parts = (
            self.symbol,
            topic(self.topic) if self.topic else None,
            LABELS[self.label].lower() if self.label else None,
        )
        return ", ".join(part for part in parts if part)

    def address(self) -> str:
        """Return the dashboard address for these filters."""
        parameters = {
            "symbol": self.symbol,
            "topic": self.topic,
            "label": self.label,
            "days": str(self.days) if self.days != _USUAL_DAYS else None,
            "cursor": self.cursor,
        }
        query = urlencode({name: value for name, value in parameters.items() if value})
        return f"/dashboard?{query}" if query else "/dashboard"

    def with_days(self, days: int) -> str:
        """Return the dashboard address with the number of days set to `days`."""
        return replace(self, days=days, cursor=None).address()

    def after(self, cursor: str | None) -> str | None:
        """Return the address of the next page of news, or None if this is the last page."""
        return replace(self, cursor=cursor).address() if cursor else None


def read(query: Mapping[str, str]) -> Filters:
    """Read the filters from a URL's query string."""
    topic_ = query.get("topic", "").strip()[:_LONGEST]
    label = query.get("label", "")
    days = query.get("days", "")
    cursor = query.get("cursor", "")
    return Filters(
        symbol=parse_symbol(query.get("symbol")),
        topic=topic_ if topic_.isprintable() and topic_ else None,
        label=label if label in LABELS else None,
        days=next((choice for choice in DAYS if str(choice) == days), _USUAL_DAYS),
        cursor=cursor if cursor and len(cursor) <= _LONGEST_CURSOR else None,
    )
