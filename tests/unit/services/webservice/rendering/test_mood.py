from datetime import date

import pytest

from services.stores.news import DaySentiment
from services.webservice.rendering.mood import mood, tone

TODAY = date(2026, 11, 24)


def day(number: int, count: int, mean: float) -> DaySentiment:
    return DaySentiment(
        day=date(2026, 11, number), count=count, mean=mean, minimum=mean - 0.1, maximum=mean + 0.1
    )


def test_the_mean_is_over_stories_not_over_days():
    trend = mood([day(23, 9, 0.5), day(24, 1, -0.5)], until=TODAY, days=7, of="AAPL")

    assert trend is not None
    assert trend.mean == pytest.approx(0.4)
    assert trend.count == 10
    assert trend.tone == "up"


def test_without_scored_stories_there_is_no_mood():
    assert mood([], until=TODAY, days=7, of="AAPL") is None
    assert mood([day(24, 0, 0.0)], until=TODAY, days=7, of="AAPL") is None


def test_days_without_stories_are_gaps_in_the_chart_and_missing_from_the_table():
    trend = mood([day(20, 2, 0.5)], until=TODAY, days=7, of="AAPL")

    assert trend is not None
    assert trend.svg.count('class="bar') == 1
    assert [row.day.day for row in trend.rows] == [20]
    assert "1 of 7 days" in trend.svg


def test_the_table_starts_with_the_newest_day():
    trend = mood([day(20, 2, 0.5), day(24, 2, 0.5)], until=TODAY, days=7, of="AAPL")

    assert trend is not None
    assert [row.day.day for row in trend.rows] == [24, 20]


def test_the_chart_has_a_description_in_words():
    trend = mood([day(24, 3, -0.25)], until=TODAY, days=7, of="AAPL")

    assert trend is not None
    assert "Mean sentiment of AAPL by day, last 7 days" in trend.svg
    assert "Negative overall" in trend.svg
    assert "24 Nov: \N{MINUS SIGN}0.25, 3 stories" in trend.svg


def test_a_score_that_is_shown_as_zero_is_neither_up_nor_down():
    assert tone(0.004) == "flat"
    assert tone(-0.2) == "down"
    assert tone(None) == "flat"
