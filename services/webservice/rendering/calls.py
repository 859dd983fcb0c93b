"""Renders an account's API calls by hour or by day, as a chart and a table for the usage page.

Exact daily percentiles cannot be computed from hourly percentiles. Instead, the page shows the
mean of the day's hourly medians, weighted by calls, and the highest hourly 95th percentile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from services.stores.usage import UsageHour
from services.webservice.rendering import chart, formatting

_SIZE: Final = chart.Size(960, 250)


@dataclass(frozen=True, slots=True)
class Span:
    """A time span that the user can select."""

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
    """One row of the table, for an hour or a day."""

    time: str
    calls: int
    errors: int
    p50: str
    p95: str


@dataclass(frozen=True, slots=True)
class Calls:
    """The values that the usage page shows."""

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
            mean = self.p50 or 0.0
            self.p50 = mean + (hour.p50_ms - mean) * hour.calls / (self.calls + hour.calls)
            self.p95 = max(self.p95 or 0.0, hour.p95_ms)
        self.calls += hour.calls
        self.errors += hour.errors


def since(span: Span, *, until: datetime) -> datetime:
    """Return the start of a span. Hourly spans start on the hour, and daily spans at midnight."""
    if span.unit == "day":
        days = until - span.back + timedelta(days=1)
        return days.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = until - span.back + timedelta(hours=1)
    return hours.replace(minute=0, second=0, microsecond=0)


def calls(hours: Iterable[UsageHour], span: Span, *, until: datetime) -> Calls:
    """Return the values that the usage page shows for calls from `since(span)` to `until`."""
    step = timedelta(days=1) if span.unit == "day" else timedelta(hours=1)
    at = since(span, until=until)
    buckets: dict[datetime, _Bucket] = {}
    while at <= until:
        buckets[at] = _Bucket(at)
        at += step
    total = _Bucket(until)
    for hour in hours:
        start = hour.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if span.unit == "day":
            start = start.replace(hour=0)
        if start in buckets:
            buckets[start].add(hour)
            total.add(hour)
    bars = [_bar(bucket, span) for bucket in buckets.values()]
    share = f"{total.errors / total.calls:.1%}" if total.calls else ""
    about = f"{total.calls} calls, of which {total.errors} failed."
    return Calls(
        unit=span.unit,
        calls=total.calls,
        errors=total.errors,
        error_share=share,
        p50=_milliseconds(total.p50),
        p95=_milliseconds(total.p95),
        rows=[_row(bucket, span) for bucket in reversed(buckets.values()) if bucket.calls],
        svg=chart.stacked(
            bars, name="calls", title=f"Calls per {span.unit}, {span.name}", about=about, size=_SIZE
        ),
    )


def _bar(bucket: _Bucket, span: Span) -> chart.Bar:
    label = formatting.short_day(bucket.at) if span.unit == "day" else f"{bucket.at:%H:%M}"
    failed = f", {bucket.errors} failed" if bucket.errors else ""
    count = "1 call" if bucket.calls == 1 else f"{bucket.calls} calls"
    return chart.Bar(
        label, float(bucket.calls), f"{label}: {count}{failed}", part=float(bucket.errors)
    )


def _row(bucket: _Bucket, span: Span) -> Row:
    time = (
        formatting.day(bucket.at)
        if span.unit == "day"
        else f"{formatting.short_day(bucket.at)}, {bucket.at:%H:%M}"
    )
    return Row(
        time, bucket.calls, bucket.errors, _milliseconds(bucket.p50), _milliseconds(bucket.p95)
    )


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
