"""The simulator is as strict as the documentation's words allow."""

from hypothesis import given
from hypothesis import strategies as st

from services.cp_simulator.pacing import EVERYTHING, HISTORY, HISTORY_AT_ONCE, Watch

PENALTY = 900.0


def test_ten_requests_in_a_second_pass_and_the_eleventh_begins_the_penalty() -> None:
    watch = Watch(PENALTY)
    assert all(watch.admit("/trsrv/stocks", now=0.05 * n) for n in range(10))
    assert not watch.admit("/trsrv/stocks", now=0.9)
    assert not watch.admit("/trsrv/stocks", now=0.9 + PENALTY - 1)
    assert watch.admit("/trsrv/stocks", now=0.9 + PENALTY + 1)
    assert watch.violations == 1
    assert watch.busiest[EVERYTHING] == 11


def test_any_second_counts_and_not_the_clocks_seconds() -> None:
    watch = Watch(PENALTY)
    assert all(watch.admit("/x", now=0.9 + 0.01 * n) for n in range(10))
    assert not watch.admit("/x", now=1.5)


def test_a_tickle_may_come_once_a_second() -> None:
    watch = Watch(PENALTY)
    assert watch.admit("/tickle", now=0)
    assert watch.admit("/tickle", now=1.01)
    assert not watch.admit("/tickle", now=1.5)


def test_history_may_be_asked_for_by_five_at_once() -> None:
    watch = Watch(PENALTY)
    assert all(watch.admit(HISTORY, now=n) for n in range(HISTORY_AT_ONCE))
    watch.leave(HISTORY)
    assert watch.admit(HISTORY, now=10)
    assert not watch.admit(HISTORY, now=20)
    assert watch.history_now == HISTORY_AT_ONCE


def test_asking_in_the_penalty_box_does_not_leave_history_counted() -> None:
    watch = Watch(PENALTY)
    watch.punish(now=0)
    assert not watch.admit(HISTORY, now=1)
    assert watch.history_now == 0


@given(st.lists(st.floats(0, 5), max_size=80))
def test_whatever_passes_never_was_more_than_ten_in_any_second(moments: list[float]) -> None:
    watch = Watch(PENALTY)
    passed = [now for now in sorted(moments) if watch.admit("/x", now=now)]
    for start in passed:
        assert sum(start <= now < start + 1.0 for now in passed) <= 10
