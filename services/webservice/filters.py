"""What of the news somebody wants to see: read from a page's address, and written into links.

Rule: a strange value is no filter; an address that somebody edited shows news, not an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from services.webservice.rendering.wording import LABELS, topic
from services.webservice.watch_list import symbol as parse_symbol

DAYS: Final = (7, 30, 90)
_USUAL_DAYS: Final = DAYS[0]
_LONGEST: Final = 60
_LONGEST_CURSOR: Final = 500


@dataclass(frozen=True, slots=True)
class Filters:
    """One view of the dashboard."""

    symbol: str | None = None
    topic: str | None = None
    label: str | None = None
    days: int = _USUAL_DAYS
    cursor: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether any news is left out."""
        return bool(self.symbol or self.topic or self.label)

    @property
    def told(self) -> str:
        """The filter in words: "AAPL, Earnings, negative"; empty for none."""
        parts = (
            self.symbol,
            topic(self.topic) if self.topic else None,
            LABELS[self.label].lower() if self.label else None,
        )
        return ", ".join(part for part in parts if part)

    def address(self) -> str:
        """The page that shows this."""
        told = {
            "symbol": self.symbol,
            "topic": self.topic,
            "label": self.label,
            "days": str(self.days) if self.days != _USUAL_DAYS else None,
            "cursor": self.cursor,
        }
        query = urlencode({name: value for name, value in told.items() if value})
        return f"/dashboard?{query}" if query else "/dashboard"

    def with_days(self, days: int) -> str:
        """The page of the same news with another span of sentiment."""
        return replace(self, days=days, cursor=None).address()

    def after(self, cursor: str | None) -> str | None:
        """The page of the news that follow; None when none do."""
        return replace(self, cursor=cursor).address() if cursor else None


def read(query: Mapping[str, str]) -> Filters:
    """What an address asks for."""
    wanted = query.get("topic", "").strip()[:_LONGEST]
    label = query.get("label", "")
    days = query.get("days", "")
    cursor = query.get("cursor", "")
    return Filters(
        symbol=parse_symbol(query.get("symbol")),
        topic=wanted if wanted.isprintable() and wanted else None,
        label=label if label in LABELS else None,
        days=next((one for one in DAYS if str(one) == days), _USUAL_DAYS),
        cursor=cursor if cursor and len(cursor) <= _LONGEST_CURSOR else None,
    )
