"""What is done when the session fails and returns."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_api_tickle.decide import (
    Action,
    EndAlarm,
    Memory,
    Policy,
    RaiseAlarm,
    Reauthenticate,
    SessionCheck,
    SessionState,
    decide,
    next_check_seconds,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
POLICY = Policy(lost_after_seconds=300)


def check(state: SessionState, minutes: float = 0.0) -> SessionCheck:
    return SessionCheck(START + timedelta(minutes=minutes), state)


def after(*events: SessionCheck, policy: Policy = POLICY) -> tuple[Memory, list[Action]]:
    """What is remembered after these checks, and everything that was done."""
    memory, actions = Memory(), []
    for event in events:
        memory, new = decide(memory, event, policy)
        actions += new
    return memory, actions


def test_nothing_is_done_while_the_session_is_well() -> None:
    memory, performed = after(check("well"), check("well", 1))
    assert performed == []
    assert memory.is_up


def test_a_lapsed_session_is_reauthenticated_at_once() -> None:
    memory, performed = after(check("well"), check("lapsed", 1))
    assert [type(action) for action in performed] == [Reauthenticate]
    assert not memory.is_up


def test_each_retry_waits_longer_than_the_one_before() -> None:
    memory, pauses = Memory(), []
    at = START
    while len(pauses) < 10:
        memory, actions = decide(memory, SessionCheck(at, "lapsed"), POLICY)
        if any(isinstance(action, Reauthenticate) for action in actions):
            assert memory.try_from is not None
            pauses.append((memory.try_from - at).total_seconds())
        at += timedelta(seconds=1)
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == POLICY.retry_ceiling_seconds


def test_after_a_working_session_the_first_attempt_is_immediate_again() -> None:
    _, performed = after(check("lapsed"), check("well", 0.05), check("lapsed", 0.06))
    assert [type(action) for action in performed] == [Reauthenticate, Reauthenticate]


@pytest.mark.parametrize("state", ["competing", "logged out", "not allowed", "away", "paced"])
def test_a_state_that_reauthentication_cannot_help_is_left_alone(state: SessionState) -> None:
    _, performed = after(check(state), check(state, 1), check(state, 2))
    assert performed == []


@pytest.mark.parametrize("state", ["lapsed", "competing", "logged out", "away", "paced"])
def test_one_alarm_is_raised_when_a_session_fails_for_long(state: SessionState) -> None:
    _, performed = after(*(check(state, minute) for minute in range(60)))
    alarms = [action for action in performed if isinstance(action, RaiseAlarm)]
    assert len(alarms) == 1
    assert alarms[0].since == START
    assert alarms[0].state == state


def test_the_nightly_reset_raises_no_alarm() -> None:
    _, performed = after(check("well"), check("away", 1), check("lapsed", 4), check("well", 5.9))
    assert not any(isinstance(action, RaiseAlarm | EndAlarm) for action in performed)


def test_an_alarm_is_ended_once() -> None:
    _, performed = after(check("away"), check("away", 6), check("well", 7), check("well", 8))
    assert [type(action) for action in performed] == [RaiseAlarm, EndAlarm]


def test_a_loss_whose_reason_changes_is_still_one_loss() -> None:
    _, performed = after(
        check("away"), check("lapsed", 3), check("logged out", 6), check("competing", 20)
    )
    alarms = [action for action in performed if isinstance(action, RaiseAlarm)]
    assert [alarm.since for alarm in alarms] == [START]


def test_the_next_check_comes_when_a_reauthentication_is_due() -> None:
    memory, _ = after(check("lapsed"))
    assert next_check_seconds(memory, POLICY, at=START, every_seconds=60) == 5
    assert next_check_seconds(Memory(), POLICY, at=START, every_seconds=60) == 60


def test_no_check_comes_before_the_penalty_is_over() -> None:
    memory, _ = after(check("paced"))
    assert next_check_seconds(memory, POLICY, at=START, every_seconds=60) == 900


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["well", "lapsed", "competing", "logged out", "away", "paced"]),
            st.floats(0.1, 10),
        ),
        max_size=60,
    )
)
def test_alarms_and_their_ends_always_alternate(
    states: list[tuple[SessionState, float]],
) -> None:
    minutes, events = 0.0, []
    for state, later in states:
        minutes += later
        events.append(check(state, minutes))
    _, performed = after(*events)
    kinds = [type(action) for action in performed if isinstance(action, RaiseAlarm | EndAlarm)]
    assert kinds == [RaiseAlarm, EndAlarm] * (len(kinds) // 2) + [RaiseAlarm] * (len(kinds) % 2)
