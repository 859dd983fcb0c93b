"""The rate limit, with time as an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.public_api.rate_limit import RateLimiter


def test_a_token_may_make_all_its_calls_at_once_and_no_more() -> None:
    limiter = RateLimiter(3, 60)
    allowances = [limiter.take("a", 100.0) for _ in range(4)]
    assert [allowance.is_allowed for allowance in allowances] == [True, True, True, False]
    assert [allowance.remaining for allowance in allowances] == [2, 1, 0, 0]


def test_a_refused_call_says_when_the_next_one_is_allowed() -> None:
    limiter = RateLimiter(3, 60)
    for _ in range(3):
        limiter.take("a", 100.0)
    refused = limiter.take("a", 100.0)
    assert refused.headers()["Retry-After"] == "20"
    assert not limiter.take("a", 119.0).is_allowed
    assert limiter.take("a", 120.0).is_allowed


def test_refused_calls_cost_nothing() -> None:
    limiter = RateLimiter(1, 10)
    limiter.take("a", 0.0)
    for second in range(1, 10):
        assert not limiter.take("a", float(second)).is_allowed
    assert limiter.take("a", 10.0).is_allowed


def test_each_token_has_its_own_calls() -> None:
    limiter = RateLimiter(1, 60)
    assert limiter.take("a", 0.0).is_allowed
    assert limiter.take("b", 0.0).is_allowed


def test_the_headers_are_those_that_clients_know() -> None:
    assert RateLimiter(60, 60).take("a", 0.0).headers() == {
        "RateLimit-Limit": "60",
        "RateLimit-Remaining": "59",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": '"default";q=60;w=60',
        "RateLimit": '"default";r=59;t=1',
    }


def test_a_clock_that_stops_or_goes_back_allows_no_more_calls() -> None:
    limiter = RateLimiter(1, 60)
    limiter.take("a", 100.0)
    assert not limiter.take("a", 100.0).is_allowed
    assert not limiter.take("a", 40.0).is_allowed


@pytest.mark.parametrize("window", [1.0, 7.0, 60.0])
@given(gaps=st.lists(st.floats(0, 5, allow_nan=False), max_size=60), limit=st.integers(1, 20))
def test_no_window_allows_more_than_a_full_bucket_and_its_refill(
    window: float, gaps: list[float], limit: int
) -> None:
    limiter, at, allowed = RateLimiter(limit, window), 0.0, 0
    for gap in gaps:
        at += gap
        allowance = limiter.take("a", at)
        allowed += allowance.is_allowed
        assert 0 <= allowance.remaining <= limit
        assert allowance.is_allowed or allowance.retry_after_seconds >= 1
    assert allowed <= limit + at * limit / window + 1e-6
