import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import backoff


@given(st.integers(), st.floats(0.01, 5), st.floats(5, 100))
def test_pauses_stay_below_a_doubling_ceiling_and_never_reach_zero(seed, first, ceiling):
    delays = list(islice(backoff(first=first, ceiling=ceiling, rng=random.Random(seed)), 20))

    for number, delay in enumerate(delays):
        limit = min(first * 2**number, ceiling)
        assert limit / 10 <= delay <= limit


def test_a_fleet_that_fails_together_does_not_return_together():
    thirds = {
        round(next(islice(backoff(rng=random.Random(seed)), 3, None)), 2) for seed in range(50)
    }

    assert len(thirds) > 25
