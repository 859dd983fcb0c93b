"""Formats times, numbers, labels and addresses. Jinja templates use these functions as filters."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400

LABELS: Final = {"positive": "Positive", "neutral": "Neutral", "negative": "Negative"}
SIGNS: Final = {"positive": "▲", "neutral": "●", "negative": "▼"}
SCOPES: Final = {
    "news:read": "Read the news",
    "sentiment:read": "Read sentiment",
    "quotes:read": "Read quotes",
    "usage:read": "Read this token's usage",
}


def ago(at: datetime, *, now: datetime) -> str:
    """Return how long ago a time was, such as "5 min ago". After a week, return the date."""
    seconds = (now - at).total_seconds()
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min ago"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    if seconds < 7 * _DAY:
        days = int(seconds // _DAY)
        return "yesterday" if days == 1 else f"{days} days ago"
    return day(at)


def moment(at: datetime) -> str:
    """Return a date and time with its time zone, such as "24 Nov 2026, 03:00 UTC"."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def day(at: date) -> str:
    """Return a date such as "24 Nov 2026", regardless of the host's locale."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def short_day(at: date) -> str:
    """Return a date without the year, such as "24 Nov"."""
    return f"{at.day} {_MONTHS[at.month - 1]}"


def signed(value: float | Decimal, digits: int = 2) -> str:
    """Return a number with a plus sign or a typographic minus sign. Zero has no sign."""
    number = float(value)
    text = f"{abs(number):,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return f"+{text}" if number > 0 else f"\N{MINUS SIGN}{text}"


def price(value: float | Decimal | None) -> str:
    """Return a price with two decimal places (four if it is below 1), or a dash for None."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.4f}" if abs(float(value)) < 1 else f"{value:,.2f}"


def count(value: float) -> str:
    """Return a number with thousands separators and no decimal places."""
    return f"{value:,.0f}"


def topic(text: str) -> str:
    """Return a topic as a heading: "mergers_and_deals" becomes "Mergers and deals"."""
    words = text.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def paragraphs(text: str) -> list[str]:
    """Split an article into paragraphs at empty lines or, if there are none, at line breaks."""
    blocks = [part.strip() for part in text.split("\n\n") if part.strip()]
    return (
        blocks if len(blocks) > 1 else [line.strip() for line in text.splitlines() if line.strip()]
    )


def web_address(url: str) -> str:
    """Return `url` if it is safe to link to, otherwise "". Feeds may contain `javascript:` URLs."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc else ""


def host(url: str) -> str:
    """Return the host name in a URL, without "www.", or "" if the URL is invalid."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
