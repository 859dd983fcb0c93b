"""When a feed is polled next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.newswatcher.schedule import (
    CEILING_SECONDS,
    GONE_SECONDS,
    LONGEST_WAIT_SECONDS,
    Answered,
    Failed,
    FeedState,
    Unchanged,
    after,
    pause_seconds,
    remembered,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EVERY = 300.0
NEW = FeedState(id="feed-1", name="One", url="https://a.example/feed")
DRAWS = st.floats(0, 1)


def pause(state: FeedState) -> float:
    assert state.next_look is not None
    return (state.next_look - NOW).total_seconds()


def failed(state: FeedState, times: int = 1, **fields: float | bool) -> FeedState:
    for _ in range(times):
        outcome = Failed(NOW, "it answered 500", **fields)  # type: ignore[arg-type]
        state = after(state, outcome, every_seconds=EVERY, draw=0)
    return state


@given(DRAWS)
def test_a_feed_that_answers_is_polled_about_at_its_interval(draw: float) -> None:
    state = after(NEW, Unchanged(NOW), every_seconds=EVERY, draw=draw)
    assert 0.9 * EVERY <= pause(state) <= 1.1 * EVERY
    assert (state.failures, state.last_success) == (0, NOW)


def test_each_failure_doubles_the_pause_up_to_hours() -> None:
    pauses = [pause(failed(NEW, times)) for times in range(1, 10)]
    assert pauses[:3] == [600, 1200, 2400]
    assert pauses[-1] == CEILING_SECONDS
    assert pause(failed(NEW, 2000)) == CEILING_SECONDS


def test_a_success_ends_the_backoff() -> None:
    state = after(failed(NEW, 8), Unchanged(NOW), every_seconds=EVERY, draw=0.5)
    assert pause(state) == EVERY
    assert state.failures == 0


@given(DRAWS, st.floats(0, 10 * LONGEST_WAIT_SECONDS))
def test_a_servers_requested_pause_is_honoured_up_to_a_limit(draw: float, wait: float) -> None:
    state = after(NEW, Failed(NOW, "429", wait_seconds=wait), every_seconds=EVERY, draw=draw)
    assert pause(state) >= min(wait, LONGEST_WAIT_SECONDS) - 0.001
    assert pause(state) <= 1.1 * LONGEST_WAIT_SECONDS


def test_a_feed_that_is_gone_is_polled_once_a_day() -> None:
    assert pause(failed(NEW, is_gone=True)) == GONE_SECONDS


def test_a_redirect_whose_target_keeps_failing_is_forgotten() -> None:
    moved = NEW.model_copy(update={"moved_to": "https://b.example/feed"})
    assert failed(moved, 2).moved_to == "https://b.example/feed"
    assert failed(moved, 3).moved_to is None


@pytest.mark.parametrize(("is_complete", "etag"), [(True, '"1"'), (False, None)])
def test_an_etag_is_kept_only_when_all_entries_are_seen(
    is_complete: bool, etag: str | None
) -> None:
    outcome = Answered(
        NOW, entries=2, stored=1, keys=("a", "b"), etag='"1"', is_complete=is_complete
    )
    assert after(NEW, outcome, every_seconds=EVERY, draw=0.5).etag == etag


def test_a_failure_keeps_the_etag_and_the_seen_entries() -> None:
    state = NEW.model_copy(update={"etag": '"1"', "seen": {"a": "x"}, "last_success": NOW})
    kept = failed(state)
    assert (kept.etag, kept.seen, kept.last_success) == ('"1"', {"a": "x"}, NOW)


def test_an_articles_server_may_delay_the_next_poll() -> None:
    outcome = Answered(NOW, entries=1, stored=0, keys=(), is_complete=False, wait_seconds=900)
    assert pause(after(NEW, outcome, every_seconds=EVERY, draw=0.5)) == 900


def test_entries_that_left_the_feed_are_forgotten_oldest_first() -> None:
    seen = {f"old{number}": "x" for number in range(600)} | {"a": "1", "b": "2"}
    kept = remembered(seen, ("b", "a", "never seen"))
    assert len(kept) == 502
    assert "old99" not in kept
    assert list(kept)[-3:] == ["old599", "b", "a"]


def test_the_first_polls_are_spread_over_some_seconds() -> None:
    assert pause_seconds(NEW, now=NOW, every_seconds=EVERY, draw=0.5) == 5
    assert pause_seconds(NEW, now=NOW, every_seconds=2, draw=0.5) == 1


def test_after_a_restart_a_feed_waits_for_its_scheduled_time() -> None:
    state = after(NEW, Unchanged(NOW), every_seconds=EVERY, draw=0.5)
    later = NOW + timedelta(seconds=100)
    assert pause_seconds(state, now=later, every_seconds=EVERY, draw=0) == 200
    much_later = NOW + timedelta(days=3)
    assert pause_seconds(state, now=much_later, every_seconds=EVERY, draw=0) == 0


def test_neither_a_clock_that_went_back_nor_an_old_failure_stops_a_feed_for_ever() -> None:
    state = after(NEW, Unchanged(NOW), every_seconds=EVERY, draw=0.5)
    earlier = NOW - timedelta(days=30)
    assert pause_seconds(state, now=earlier, every_seconds=EVERY, draw=0) <= 1.1 * EVERY
    bad = failed(NEW, 9)
    assert pause_seconds(bad, now=earlier, every_seconds=EVERY, draw=0) <= 1.1 * 24 * 3600
