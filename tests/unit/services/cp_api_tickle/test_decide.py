"""What is done about a session that comes and goes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_api_tickle.decide import (
    Action,
    EndAlarm,
    Policy,
    RaiseAlarm,
    Reauthenticate,
    SessionSeen,
    SessionState,
    Watch,
    decide,
    next_look_seconds,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
POLICY = Policy(lost_after_seconds=300)


def seen(state: SessionState, minutes: float = 0.0) -> SessionSeen:
    return SessionSeen(START + timedelta(minutes=minutes), state)


def after(*events: SessionSeen, policy: Policy = POLICY) -> tuple[Watch, list[Action]]:
    """What is remembered and all that was done after these looks."""
    watch, done = Watch(), []
    for event in events:
        watch, actions = decide(watch, event, policy)
        done += actions
    return watch, done


def test_nothing_is_done_while_the_session_is_well() -> None:
    watch, done = after(seen("well"), seen("well", 1))
    assert done == []
    assert watch.is_up


def test_a_lapsed_session_is_asked_for_again_at_once() -> None:
    watch, done = after(seen("well"), seen("lapsed", 1))
    assert [type(action) for action in done] == [Reauthenticate]
    assert not watch.is_up


def test_a_second_try_comes_later_and_each_next_one_later_still() -> None:
    watch, pauses = Watch(), []
    at = START
    while len(pauses) < 10:
        watch, actions = decide(watch, SessionSeen(at, "lapsed"), POLICY)
        if any(isinstance(action, Reauthenticate) for action in actions):
            assert watch.try_from is not None
            pauses.append((watch.try_from - at).total_seconds())
        at += timedelta(seconds=1)
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == POLICY.retry_ceiling_seconds


def test_after_a_session_that_was_well_the_first_try_is_at_once_again() -> None:
    _, done = after(seen("lapsed"), seen("well", 0.05), seen("lapsed", 0.06))
    assert [type(action) for action in done] == [Reauthenticate, Reauthenticate]


@pytest.mark.parametrize("state", ["competing", "logged out", "away", "paced"])
def test_what_asking_cannot_end_is_not_asked_about(state: SessionState) -> None:
    _, done = after(seen(state), seen(state, 1), seen(state, 2))
    assert done == []


@pytest.mark.parametrize("state", ["lapsed", "competing", "logged out", "away", "paced"])
def test_an_alarm_is_raised_once_when_a_session_is_not_well_for_long(state: SessionState) -> None:
    _, done = after(*(seen(state, minute) for minute in range(60)))
    alarms = [action for action in done if isinstance(action, RaiseAlarm)]
    assert len(alarms) == 1
    assert alarms[0].since == START
    assert alarms[0].state == state


def test_no_alarm_is_raised_for_the_minutes_of_the_nightly_reset() -> None:
    _, done = after(seen("well"), seen("away", 1), seen("lapsed", 4), seen("well", 5.9))
    assert not any(isinstance(action, RaiseAlarm | EndAlarm) for action in done)


def test_the_end_of_a_loss_is_told_once_and_only_when_the_loss_was_told() -> None:
    _, done = after(seen("away"), seen("away", 6), seen("well", 7), seen("well", 8))
    assert [type(action) for action in done] == [RaiseAlarm, EndAlarm]


def test_a_loss_that_changes_its_reason_is_still_one_loss() -> None:
    _, done = after(seen("away"), seen("lapsed", 3), seen("logged out", 6), seen("competing", 20))
    alarms = [action for action in done if isinstance(action, RaiseAlarm)]
    assert [alarm.since for alarm in alarms] == [START]


def test_the_next_look_comes_when_a_try_is_due() -> None:
    watch, _ = after(seen("lapsed"))
    assert next_look_seconds(watch, POLICY, at=START, every_seconds=60) == 5
    assert next_look_seconds(Watch(), POLICY, at=START, every_seconds=60) == 60


def test_a_penalty_is_sat_out_whole() -> None:
    watch, _ = after(seen("paced"))
    assert next_look_seconds(watch, POLICY, at=START, every_seconds=60) == 900


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["well", "lapsed", "competing", "logged out", "away", "paced"]),
            st.floats(0.1, 10),
        ),
        max_size=60,
    )
)
def test_alarms_and_their_ends_take_turns_whatever_happens(
    told: list[tuple[SessionState, float]],
) -> None:
    minutes, events = 0.0, []
    for state, later in told:
        minutes += later
        events.append(seen(state, minutes))
    _, done = after(*events)
    words = [type(action) for action in done if isinstance(action, RaiseAlarm | EndAlarm)]
    assert words == [RaiseAlarm, EndAlarm] * (len(words) // 2) + [RaiseAlarm] * (len(words) % 2)
