from datetime import date

import pytest

from services.stores.news import DaySentiment
from services.webservice.rendering.mood import mood, tone

TODAY = date(2026, 11, 24)


def day(number: int, count: int, mean: float) -> DaySentiment:
    return DaySentiment(
        day=date(2026, 11, number), count=count, mean=mean, minimum=mean - 0.1, maximum=mean + 0.1
    )


def test_the_mean_is_of_stories_and_not_of_days():
    found = mood([day(23, 9, 0.5), day(24, 1, -0.5)], until=TODAY, days=7, of="AAPL")

    assert found is not None
    assert found.mean == pytest.approx(0.4)
    assert found.count == 10
    assert found.tone == "up"


def test_without_a_scored_story_there_is_no_mood():
    assert mood([], until=TODAY, days=7, of="AAPL") is None
    assert mood([day(24, 0, 0.0)], until=TODAY, days=7, of="AAPL") is None


def test_days_without_stories_are_gaps_in_the_chart_and_not_in_the_table():
    found = mood([day(20, 2, 0.5)], until=TODAY, days=7, of="AAPL")

    assert found is not None
    assert found.svg.count('class="bar') == 1
    assert [one.day.day for one in found.rows] == [20]
    assert "1 of 7 days" in found.svg


def test_the_table_begins_with_the_newest_day():
    found = mood([day(20, 2, 0.5), day(24, 2, 0.5)], until=TODAY, days=7, of="AAPL")

    assert found is not None
    assert [one.day.day for one in found.rows] == [24, 20]


def test_the_chart_says_in_words_what_it_shows():
    found = mood([day(24, 3, -0.25)], until=TODAY, days=7, of="AAPL")

    assert found is not None
    assert "Mean sentiment of AAPL by day, 7 days" in found.svg
    assert "Negative on the whole" in found.svg
    assert "24 Nov: \N{MINUS SIGN}0.25, 3 stories" in found.svg


def test_a_score_that_is_written_as_zero_is_neither_up_nor_down():
    assert tone(0.004) == "flat"
    assert tone(-0.2) == "down"
    assert tone(None) == "flat"
