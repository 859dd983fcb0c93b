"""When requests to the gateway may start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_api.pacing import EVERYTHING, PACES, Pace, Pacer


def test_a_burst_starts_at_once_and_the_rest_at_the_pace() -> None:
    pacer = Pacer({EVERYTHING: Pace(4.0, burst=2)})
    waits = [pacer.take("x", now=0.0, within=10.0) for _ in range(5)]
    assert waits == [0.0, 0.0, 0.25, 0.5, 0.75]


def test_a_pause_earns_one_burst_and_no_more() -> None:
    pacer = Pacer({EVERYTHING: Pace(4.0, burst=2)})
    pacer.take("x", now=0.0, within=10.0)
    waits = [pacer.take("x", now=1000.0, within=10.0) for _ in range(3)]
    assert waits == [0.0, 0.0, 0.25]


def test_a_turn_that_would_come_too_late_is_refused_and_uses_no_capacity() -> None:
    pacer = Pacer({EVERYTHING: Pace(1.0)})
    assert pacer.take("x", now=0.0, within=0.5) == 0.0
    assert pacer.take("x", now=0.0, within=0.5) is None
    assert pacer.wait("x", now=0.0) == 1.0
    assert (pacer.granted, pacer.refused) == (1, 1)


def test_an_endpoint_with_its_own_pace_waits_for_both() -> None:
    pacer = Pacer({EVERYTHING: Pace(10.0), "tickle": Pace(1.0)})
    assert pacer.take("tickle", now=0.0, within=5) == 0.0
    assert pacer.take("tickle", now=0.0, within=5) == 1.0


def test_after_a_429_no_request_starts_until_the_penalty_is_over() -> None:
    pacer = Pacer()
    pacer.close(now=100.0, seconds=900)
    assert pacer.take("x", now=101.0, within=10) is None
    assert pacer.closed_for(now=101.0) == 899
    assert pacer.take("x", now=1000.0, within=10) == 0.0
    assert pacer.closed_for(now=1001.0) == 0.0


def test_a_penalty_is_never_shortened() -> None:
    pacer = Pacer()
    pacer.close(now=0.0, seconds=900)
    pacer.close(now=1.0, seconds=10)
    assert pacer.closed_for(now=1.0) == 899


def test_a_pace_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Pace(0)


@given(st.lists(st.floats(0, 20), max_size=120))
def test_no_second_has_more_than_half_of_the_documented_ten(moments: list[float]) -> None:
    pacer = Pacer()
    starts = [
        now + wait
        for now in sorted(moments)
        if (wait := pacer.take("x", now=now, within=8.0)) is not None
    ]
    pace = PACES[EVERYTHING]
    for start in starts:
        within = sum(start <= other < start + 1.0 - 1e-6 for other in starts)
        assert within <= pace.per_second + pace.burst - 1 <= 5
