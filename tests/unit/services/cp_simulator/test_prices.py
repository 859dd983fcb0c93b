"""Invented prices are consistent with each other."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_simulator import prices
from services.cp_simulator.catalogue import BY_CONID, BY_SYMBOL, STOCKS

NOW = 1_795_500_000
AROUND = 200.0
MOMENTS = st.integers(1_700_000_000, 2_000_000_000)
BARS = st.sampled_from([60, 300, 3600, 4 * 3600, 86_400, 604_800])


def test_a_symbols_price_at_a_time_is_the_same_in_every_process() -> None:
    assert prices.price("AAPL", AROUND, NOW) == pytest.approx(235.4114312801974)
    assert prices.price("AAPL", AROUND, NOW) != prices.price("MSFT", AROUND, NOW)


@given(MOMENTS)
def test_bid_is_below_last_and_last_below_ask(at: int) -> None:
    tick = prices.tick("AAPL", AROUND, at)
    assert tick.bid < tick.last < tick.ask


@given(MOMENTS, BARS, st.floats(0, 1))
def test_a_quote_is_within_the_bar_of_its_time(at: int, seconds: int, share: float) -> None:
    start = at - at % seconds
    bar = prices.bar("TSLA", AROUND, start, seconds=seconds, now=start + 10 * seconds)
    inside = start + int(share * (seconds - 1))
    assert bar.low <= prices.price("TSLA", AROUND, inside) <= bar.high


@given(MOMENTS, BARS)
def test_a_bar_opens_where_the_last_one_closed_and_the_final_one_closes_now(
    now: int, seconds: int
) -> None:
    bars = prices.bars("NVDA", AROUND, seconds=seconds, count=4, now=now)
    assert [bar.open for bar in bars[1:]] == [bar.close for bar in bars[:-1]]
    assert bars[-1].close == prices.tick("NVDA", AROUND, now).last
    assert all(bar.low <= min(bar.open, bar.close) for bar in bars)
    assert all(bar.high >= max(bar.open, bar.close) for bar in bars)


def test_hourly_volumes_add_up_to_the_days_volume_and_a_quotes() -> None:
    midnight = NOW - NOW % 86_400
    hours = prices.bars("AAPL", AROUND, seconds=3600, count=24, now=midnight + 86_399)
    day = prices.bar("AAPL", AROUND, midnight, seconds=86_400, now=midnight + 86_399)
    assert sum(bar.volume for bar in hours) == day.volume
    assert prices.tick("AAPL", AROUND, midnight + 86_399).volume == day.volume


def test_daily_moves_are_of_a_realistic_size() -> None:
    days = prices.bars("AMZN", AROUND, seconds=86_400, count=250, now=NOW)
    moves = [math.log(b.close / a.close) for a, b in itertools.pairwise(days)]
    assert 0.005 < statistics.pstdev(moves) < 0.03
    assert AROUND / 3 < min(day.low for day in days) < max(day.high for day in days) < AROUND * 3


def test_every_stock_has_a_unique_number() -> None:
    assert len(BY_CONID) == len(BY_SYMBOL) == len(STOCKS)
    assert BY_SYMBOL["BRK B"].name.startswith("Berkshire")
