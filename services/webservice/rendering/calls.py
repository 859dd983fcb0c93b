"""An account's calls, as the usage page shows them: by hour or by day, a chart and a table.

Values in, values out. Percentiles of a day cannot be had from those of its hours: it shows the mean
of their medians, by calls, and the slowest of their 95ths, which promises no more than was kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from services.stores.usage import UsageHour
from services.webservice.rendering import chart, wording

_SIZE: Final = chart.Size(960, 250)


@dataclass(frozen=True, slots=True)
class Span:
    """A choice of time."""

    name: str
    unit: str
    back: timedelta


SPANS: Final = {
    "day": Span("Last 24 hours", "hour", timedelta(hours=24)),
    "week": Span("Last 7 days", "day", timedelta(days=7)),
    "month": Span("Last 30 days", "day", timedelta(days=30)),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One hour or day, written out."""

    told: str
    calls: int
    errors: int
    p50: str
    p95: str


@dataclass(frozen=True, slots=True)
class Calls:
    """What the page shows."""

    unit: str
    calls: int
    errors: int
    error_share: str
    p50: str
    p95: str
    rows: Sequence[Row]
    svg: Markup


@dataclass(slots=True)
class _Bucket:
    at: datetime
    calls: int = 0
    errors: int = 0
    p50: float | None = None
    p95: float | None = None

    def add(self, hour: UsageHour) -> None:
        if hour.calls:
            seen = self.p50 or 0.0
            self.p50 = seen + (hour.p50_ms - seen) * hour.calls / (self.calls + hour.calls)
            self.p95 = max(self.p95 or 0.0, hour.p95_ms)
        self.calls += hour.calls
        self.errors += hour.errors


def since(span: Span, *, until: datetime) -> datetime:
    """Where a span begins: at a whole hour or day, so that its first column is not cut."""
    if span.unit == "day":
        days = until - span.back + timedelta(days=1)
        return days.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = until - span.back + timedelta(hours=1)
    return hours.replace(minute=0, second=0, microsecond=0)


def calls(hours: Iterable[UsageHour], span: Span, *, until: datetime) -> Calls:
    """What happened between `since(span)` and `until`, with quiet hours or days as zeros."""
    step = timedelta(days=1) if span.unit == "day" else timedelta(hours=1)
    at = since(span, until=until)
    buckets: dict[datetime, _Bucket] = {}
    while at <= until:
        buckets[at] = _Bucket(at)
        at += step
    whole = _Bucket(until)
    for hour in hours:
        start = hour.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if span.unit == "day":
            start = start.replace(hour=0)
        if start in buckets:
            buckets[start].add(hour)
            whole.add(hour)
    bars = [_bar(one, span) for one in buckets.values()]
    share = f"{whole.errors / whole.calls:.1%}" if whole.calls else ""
    about = f"{whole.calls} calls, of which {whole.errors} failed."
    return Calls(
        unit=span.unit,
        calls=whole.calls,
        errors=whole.errors,
        error_share=share,
        p50=_milliseconds(whole.p50),
        p95=_milliseconds(whole.p95),
        rows=[_row(one, span) for one in reversed(buckets.values()) if one.calls],
        svg=chart.stacked(
            bars, name="calls", title=f"Calls per {span.unit}, {span.name}", about=about, size=_SIZE
        ),
    )


def _bar(one: _Bucket, span: Span) -> chart.Bar:
    label = wording.short_day(one.at) if span.unit == "day" else f"{one.at:%H:%M}"
    failed = f", {one.errors} failed" if one.errors else ""
    told = "1 call" if one.calls == 1 else f"{one.calls} calls"
    return chart.Bar(label, float(one.calls), f"{label}: {told}{failed}", part=float(one.errors))


def _row(one: _Bucket, span: Span) -> Row:
    told = (
        wording.day(one.at)
        if span.unit == "day"
        else f"{wording.short_day(one.at)}, {one.at:%H:%M}"
    )
    return Row(told, one.calls, one.errors, _milliseconds(one.p50), _milliseconds(one.p95))


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
