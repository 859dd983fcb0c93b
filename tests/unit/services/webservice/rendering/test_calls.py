from datetime import UTC, datetime, timedelta

import pytest

from services.stores.usage import UsageHour
from services.webservice.rendering.calls import SPANS, calls, since

NOW = datetime(2026, 11, 24, 12, 34, tzinfo=UTC)


def hour(at: datetime, count: int, errors: int = 0, p50: float = 5, p95: float = 20) -> UsageHour:
    at = at.replace(minute=0)
    return UsageHour(at=at, calls=count, errors=errors, p50_ms=p50, p95_ms=p95)


def test_hours_without_calls_are_in_the_chart_and_not_in_the_table():
    page = calls([hour(NOW, 5)], SPANS["day"], until=NOW)

    assert [(row.time, row.calls) for row in page.rows] == [("24 Nov, 12:00", 5)]
    assert page.svg.count('class="bar') == 1


def test_a_day_has_twenty_four_hours_and_a_month_thirty_days():
    assert since(SPANS["day"], until=NOW) == datetime(2026, 11, 23, 13, tzinfo=UTC)
    assert since(SPANS["month"], until=NOW) == datetime(2026, 10, 26, tzinfo=UTC)
    assert since(SPANS["week"], until=NOW) == datetime(2026, 11, 18, tzinfo=UTC)


def test_hours_add_up_to_days():
    hours = [hour(NOW, 5, 1), hour(NOW - timedelta(hours=3), 7), hour(NOW - timedelta(days=2), 1)]
    page = calls(hours, SPANS["week"], until=NOW)

    assert [(row.time, row.calls, row.errors) for row in page.rows] == [
        ("24 Nov 2026", 12, 1),
        ("22 Nov 2026", 1, 0),
    ]
    assert (page.calls, page.errors, page.error_share) == (13, 1, "7.7%")


def test_a_day_shows_the_weighted_median_and_the_highest_95th_percentile():
    hours = [hour(NOW, 9, p50=10, p95=30), hour(NOW - timedelta(hours=1), 1, p50=20, p95=90)]
    (row,) = calls(hours, SPANS["week"], until=NOW).rows

    assert (row.p50, row.p95) == ("11.0 ms", "90.0 ms")


def test_hours_outside_the_span_are_not_counted():
    page = calls([hour(NOW - timedelta(days=40), 5)], SPANS["month"], until=NOW)

    assert page.calls == 0


def test_without_calls_there_are_dashes_and_no_error_share():
    page = calls([], SPANS["day"], until=NOW)

    assert (page.p50, page.p95, page.error_share) == ("\N{EN DASH}", "\N{EN DASH}", "")


@pytest.mark.parametrize(
    ("count", "tooltip"), [(1, "12:00: 1 call"), (3, "12:00: 3 calls, 2 failed")]
)
def test_a_column_has_a_tooltip(count: int, tooltip: str):
    failed = 2 if count == 3 else 0

    assert tooltip in calls([hour(NOW, count, failed)], SPANS["day"], until=NOW).svg
