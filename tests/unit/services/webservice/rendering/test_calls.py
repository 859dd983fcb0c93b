from datetime import UTC, datetime, timedelta

import pytest

from services.stores.usage import UsageHour
from services.webservice.rendering.calls import SPANS, calls, since

NOW = datetime(2026, 11, 24, 12, 34, tzinfo=UTC)


def hour(at: datetime, count: int, errors: int = 0, p50: float = 5, p95: float = 20) -> UsageHour:
    at = at.replace(minute=0)
    return UsageHour(at=at, calls=count, errors=errors, p50_ms=p50, p95_ms=p95)


def test_quiet_hours_are_columns_of_the_chart_and_no_rows_of_the_table():
    found = calls([hour(NOW, 5)], SPANS["day"], until=NOW)

    assert [(one.told, one.calls) for one in found.rows] == [("24 Nov, 12:00", 5)]
    assert found.svg.count('class="bar') == 1


def test_a_day_has_twenty_four_hours_and_a_month_thirty_days():
    assert since(SPANS["day"], until=NOW) == datetime(2026, 11, 23, 13, tzinfo=UTC)
    assert since(SPANS["month"], until=NOW) == datetime(2026, 10, 26, tzinfo=UTC)
    assert since(SPANS["week"], until=NOW) == datetime(2026, 11, 18, tzinfo=UTC)


def test_hours_are_added_up_to_days():
    told = [hour(NOW, 5, 1), hour(NOW - timedelta(hours=3), 7), hour(NOW - timedelta(days=2), 1)]
    found = calls(told, SPANS["week"], until=NOW)

    assert [(one.told, one.calls, one.errors) for one in found.rows] == [
        ("24 Nov 2026", 12, 1),
        ("22 Nov 2026", 1, 0),
    ]
    assert (found.calls, found.errors, found.error_share) == (13, 1, "7.7%")


def test_a_days_typical_answer_weighs_its_hours_and_its_slowest_is_the_slowest():
    told = [hour(NOW, 9, p50=10, p95=30), hour(NOW - timedelta(hours=1), 1, p50=20, p95=90)]
    (row,) = calls(told, SPANS["week"], until=NOW).rows

    assert (row.p50, row.p95) == ("11.0 ms", "90.0 ms")


def test_hours_outside_of_the_span_are_not_counted():
    found = calls([hour(NOW - timedelta(days=40), 5)], SPANS["month"], until=NOW)

    assert found.calls == 0


def test_without_calls_there_are_dashes_and_no_share():
    found = calls([], SPANS["day"], until=NOW)

    assert (found.p50, found.p95, found.error_share) == ("\N{EN DASH}", "\N{EN DASH}", "")


@pytest.mark.parametrize(("count", "told"), [(1, "12:00: 1 call"), (3, "12:00: 3 calls, 2 failed")])
def test_a_column_says_what_it_shows(count: int, told: str):
    failed = 2 if count == 3 else 0

    assert told in calls([hour(NOW, count, failed)], SPANS["day"], until=NOW).svg
