"""Sentiment over days, as the pages show it: a mean, a chart, a table. Values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from markupsafe import Markup

from services.stores.news import DaySentiment
from services.webservice.rendering import chart, wording

_NOTHING: Final = 0.005
"""Below this a number is written as zero."""


@dataclass(frozen=True, slots=True)
class Mood:
    """What a panel shows."""

    mean: float
    count: int
    days: int
    tone: str
    rows: Sequence[DaySentiment]
    svg: Markup


def mood(
    told: Sequence[DaySentiment], *, until: date, days: int, of: str, size: chart.Size | None = None
) -> Mood | None:
    """The mood of the last `days` days up to `until`; None when nothing was scored.

    The mean is of stories and not of days: a quiet Sunday weighs what it told.
    """
    count = sum(one.count for one in told)
    if not count:
        return None
    mean = sum(one.mean * one.count for one in told) / count
    by_day = {one.day: one for one in told if one.count}
    bars = []
    for back in range(days - 1, -1, -1):
        day = until - timedelta(days=back)
        one = by_day.get(day)
        bars.append(
            chart.Bar(wording.short_day(day), one.mean if one else None, _sentence(day, one))
        )
    title = f"Mean sentiment of {of} by day, {days} days"
    about = (
        f"{_tone_word(mean)} on the whole: {wording.signed(mean)} over {count} stories."
        f" {len(by_day)} of {days} days had scored stories."
    )
    return Mood(
        mean=mean,
        count=count,
        days=days,
        tone=tone(mean),
        rows=sorted(by_day.values(), key=lambda one: one.day, reverse=True),
        svg=chart.diverging(bars, name="mood", title=title, about=about, size=size or chart.Size()),
    )


def tone(value: float | Decimal | None) -> str:
    """Whether "up", "down" or "flat": the class a number is coloured by, beside its sign."""
    number = float(value or 0)
    if abs(number) < _NOTHING:
        return "flat"
    return "up" if number > 0 else "down"


def _tone_word(mean: float) -> str:
    return {"up": "Positive", "down": "Negative", "flat": "Balanced"}[tone(mean)]


def _sentence(day: date, one: DaySentiment | None) -> str:
    if one is None:
        return f"{wording.short_day(day)}: no stories"
    stories = "1 story" if one.count == 1 else f"{one.count} stories"
    return f"{wording.short_day(day)}: {wording.signed(one.mean)}, {stories}"
