"""Reads the times in feeds. This module does no I/O.

Rule: a time before 1990 counts as none. Programs write the year 1 for pages without a date.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from typing import Final

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""The web did not exist before. An earlier time is a mistake."""
_MOST_AHEAD: Final = timedelta(days=1)
_MOST_CHARACTERS: Final = 100
_ISO: Final = re.compile(r"\d{4}-?\d\d")
_YEAR_WITH_ZEROS: Final = re.compile(r"(?<![+\-:\d])0\d{3}(?![\d:])", re.ASCII)
_UTC: Final = re.compile(r"\s*(?:GMT|UTC?|Z)$", re.IGNORECASE)
_BEFORE_OFFSET: Final = re.compile(r"\s*(?:GMT|UTC?)?(?=[+-]\d\d:?\d\d$)", re.IGNORECASE)
_OFFSET: Final = re.compile(
    r"(?<=:\d\d)\s*(?:GMT|UTC?|Z)?\s*([+-]\d\d):?(\d\d)$", re.ASCII | re.IGNORECASE
)
_SEPTEMBER: Final = re.compile(r"\bsept\b", re.IGNORECASE)


def parse(text: str) -> datetime | None:
    """Return a time in ISO 8601 or RFC 822 format, in UTC, or None if it is not plausible.

    A time without a time zone is in UTC.
    """
    text = text.strip()
    if not text or len(text) > _MOST_CHARACTERS:
        return None
    try:
        moment = _iso(text) if _ISO.match(text) else _rfc822(text)
        if moment is None or moment.astimezone(UTC) < EARLIEST:
            return None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, IndexError, TypeError):
        # The standard library's parsers raise any of these for unusual input.
        return None


def plausible(published: datetime | None, *, at: datetime) -> datetime:
    """Return when an entry was published, or `at` if the feed's time cannot be right.

    An entry found at `at` was not published later. Clocks may differ by hours, because some feeds
    give local times as UTC; a time more than a day ahead is a mistake.
    """
    if published is None or published < EARLIEST or published > at + _MOST_AHEAD:
        return at
    return min(published, at)


def _iso(text: str) -> datetime:
    moment = datetime.fromisoformat(_BEFORE_OFFSET.sub("", _UTC.sub("Z", text)).upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rfc822(text: str) -> datetime | None:
    if _YEAR_WITH_ZEROS.search(text):
        # The standard library would read the year 0001 as 01, and thus as 2001.
        return None
    # The standard library ignores an offset such as "GMT+0100" or "+01:00", and needs a time.
    text = _OFFSET.sub(r" \1\2", _SEPTEMBER.sub("Sep", text))
    fields = parsedate_tz(text if ":" in text else f"{text} 00:00:00")
    if fields is None:
        return None
    year, month, day, hour, minute, second, *_, offset_seconds = fields
    # Some clocks write leap seconds, which Python does not have.
    moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    return moment - timedelta(seconds=offset_seconds or 0)
