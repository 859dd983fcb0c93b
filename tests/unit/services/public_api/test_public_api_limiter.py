"""The rate limit, by the clock it is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.public_api.limiter import Limiter


def test_a_token_may_make_all_its_calls_at_once_and_no_more() -> None:
    limiter = Limiter(3, 60)
    taken = [limiter.take("a", 100.0) for _ in range(4)]
    assert [one.is_allowed for one in taken] == [True, True, True, False]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]


def test_a_refused_call_says_when_to_come_back_and_then_it_is_let_in() -> None:
    limiter = Limiter(3, 60)
    for _ in range(3):
        limiter.take("a", 100.0)
    refused = limiter.take("a", 100.0)
    assert refused.headers()["Retry-After"] == "20"
    assert not limiter.take("a", 119.0).is_allowed
    assert limiter.take("a", 120.0).is_allowed


def test_refused_calls_cost_nothing() -> None:
    limiter = Limiter(1, 10)
    limiter.take("a", 0.0)
    for second in range(1, 10):
        assert not limiter.take("a", float(second)).is_allowed
    assert limiter.take("a", 10.0).is_allowed


def test_tokens_do_not_take_each_others_calls() -> None:
    limiter = Limiter(1, 60)
    assert limiter.take("a", 0.0).is_allowed
    assert limiter.take("b", 0.0).is_allowed


def test_the_headers_are_those_clients_know() -> None:
    assert Limiter(60, 60).take("a", 0.0).headers() == {
        "RateLimit-Limit": "60",
        "RateLimit-Remaining": "59",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": '"default";q=60;w=60',
        "RateLimit": '"default";r=59;t=1',
    }


def test_a_clock_that_stands_still_or_goes_back_gives_nothing_away() -> None:
    limiter = Limiter(1, 60)
    limiter.take("a", 100.0)
    assert not limiter.take("a", 100.0).is_allowed
    assert not limiter.take("a", 40.0).is_allowed


@pytest.mark.parametrize("window", [1.0, 7.0, 60.0])
@given(gaps=st.lists(st.floats(0, 5, allow_nan=False), max_size=60), limit=st.integers(1, 20))
def test_no_window_has_more_than_what_was_there_and_what_came(
    window: float, gaps: list[float], limit: int
) -> None:
    limiter, at, allowed = Limiter(limit, window), 0.0, 0
    for gap in gaps:
        at += gap
        one = limiter.take("a", at)
        allowed += one.is_allowed
        assert 0 <= one.remaining <= limit
        assert one.is_allowed or one.retry_after_seconds >= 1
    assert allowed <= limit + at * limit / window + 1e-6
