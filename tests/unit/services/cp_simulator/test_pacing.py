"""The simulator is as strict as the documentation allows."""

from hypothesis import given
from hypothesis import strategies as st

from services.cp_simulator.pacing import EVERYTHING, HISTORY, HISTORY_AT_ONCE, PacingMonitor

PENALTY = 900.0


def test_ten_requests_in_a_second_pass_and_the_eleventh_begins_the_penalty() -> None:
    pacing = PacingMonitor(PENALTY)
    assert all(pacing.admit("/trsrv/stocks", now=0.05 * n) for n in range(10))
    assert not pacing.admit("/trsrv/stocks", now=0.9)
    assert not pacing.admit("/trsrv/stocks", now=0.9 + PENALTY - 1)
    assert pacing.admit("/trsrv/stocks", now=0.9 + PENALTY + 1)
    assert pacing.violations == 1
    assert pacing.busiest[EVERYTHING] == 11


def test_any_second_counts_not_only_whole_ones() -> None:
    pacing = PacingMonitor(PENALTY)
    assert all(pacing.admit("/x", now=0.9 + 0.01 * n) for n in range(10))
    assert not pacing.admit("/x", now=1.5)


def test_a_tickle_may_come_once_a_second() -> None:
    pacing = PacingMonitor(PENALTY)
    assert pacing.admit("/tickle", now=0)
    assert pacing.admit("/tickle", now=1.01)
    assert not pacing.admit("/tickle", now=1.5)


def test_five_requests_for_history_may_run_at_once() -> None:
    pacing = PacingMonitor(PENALTY)
    assert all(pacing.admit(HISTORY, now=n) for n in range(HISTORY_AT_ONCE))
    pacing.leave(HISTORY)
    assert pacing.admit(HISTORY, now=10)
    assert not pacing.admit(HISTORY, now=20)
    assert pacing.history_now == HISTORY_AT_ONCE


def test_a_request_refused_in_the_penalty_does_not_count_as_running() -> None:
    pacing = PacingMonitor(PENALTY)
    pacing.punish(now=0)
    assert not pacing.admit(HISTORY, now=1)
    assert pacing.history_now == 0


@given(st.lists(st.floats(0, 5), max_size=80))
def test_never_more_than_ten_requests_pass_in_any_second(moments: list[float]) -> None:
    pacing = PacingMonitor(PENALTY)
    passed = [now for now in sorted(moments) if pacing.admit("/x", now=now)]
    for start in passed:
        assert sum(start <= now < start + 1.0 for now in passed) <= 10
