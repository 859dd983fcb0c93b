"""Renders the sentiment of several days as a mean, a chart and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from markupsafe import Markup

from services.stores.news import DaySentiment
from services.webservice.rendering import chart, formatting

_NOTHING: Final = 0.005
"""Numbers with a smaller absolute value are shown as zero."""


@dataclass(frozen=True, slots=True)
class Mood:
    """The values that the mood panel shows."""

    mean: float
    count: int
    days: int
    tone: str
    rows: Sequence[DaySentiment]
    svg: Markup


def mood(
    sentiments: Sequence[DaySentiment],
    *,
    until: date,
    days: int,
    of: str,
    size: chart.Size | None = None,
) -> Mood | None:
    """Return the sentiment for the `days` days up to `until`, or None if no articles were scored.

    The mean is taken over articles, not over days, so a day with few articles has little influence.
    """
    count = sum(sentiment.count for sentiment in sentiments)
    if not count:
        return None
    mean = sum(sentiment.mean * sentiment.count for sentiment in sentiments) / count
    by_day = {sentiment.day: sentiment for sentiment in sentiments if sentiment.count}
    bars = []
    for back in range(days - 1, -1, -1):
        day = until - timedelta(days=back)
        sentiment = by_day.get(day)
        score = sentiment.mean if sentiment else None
        bars.append(chart.Bar(formatting.short_day(day), score, _sentence(day, sentiment)))
    title = f"Mean sentiment of {of} by day, last {days} days"
    about = (
        f"{_tone_word(mean)} overall: a mean of {formatting.signed(mean)} over {count} stories."
        f" {len(by_day)} of {days} days had scored stories."
    )
    return Mood(
        mean=mean,
        count=count,
        days=days,
        tone=tone(mean),
        rows=sorted(by_day.values(), key=lambda row: row.day, reverse=True),
        svg=chart.diverging(bars, name="mood", title=title, about=about, size=size or chart.Size()),
    )


def tone(value: float | Decimal | None) -> str:
    """Return `up`, `down` or `flat`, the CSS class that sets a number's colour."""
    number = float(value or 0)
    if abs(number) < _NOTHING:
        return "flat"
    return "up" if number > 0 else "down"


def _tone_word(mean: float) -> str:
    return {"up": "Positive", "down": "Negative", "flat": "Balanced"}[tone(mean)]


def _sentence(day: date, sentiment: DaySentiment | None) -> str:
    if sentiment is None:
        return f"{formatting.short_day(day)}: no stories"
    stories = "1 story" if sentiment.count == 1 else f"{sentiment.count} stories"
    return f"{formatting.short_day(day)}: {formatting.signed(sentiment.mean)}, {stories}"
