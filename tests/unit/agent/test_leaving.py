from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.actions import Ask, ComeBack, Leave, LookAtEngine, Pause, PowerOff
from agent.decide import decide
from agent.events import (
    AllClear,
    Denied,
    EngineAway,
    EngineSeen,
    NoticesChanged,
    Paused,
    ToldToLeave,
)
from agent.model import Announcement, Policy, View
from wire.messages import DenialCode, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = Policy(role=Role.WORKER)
AT = NOW + timedelta(minutes=2)
TERMINATION = Announcement("interruption", AT, "terminate")
REBALANCE = Announcement("rebalance", NOW)
MAINTENANCE = Announcement("maintenance", AT, "stop", "instance-event-1", "instance-stop")
ORDER = "AWS terminates it at 20:02:00 UTC; no task runs on it"


def story(*events, view=None, policy=POLICY):
    seen, action = view or View(), None
    for event in events:
        seen, action = decide(seen, event, policy)
    return seen, action


def member(at=NOW, **seen):
    return EngineSeen(at, "active", **seen)


def test_news_makes_the_agent_look_at_its_engine_at_once():
    for news in (NoticesChanged(NOW, TERMINATION), ToldToLeave(NOW, ORDER), AllClear(NOW)):
        assert isinstance(story(member(), news)[1], LookAtEngine)


def test_the_status_says_what_is_coming_and_when():
    _, action = story(NoticesChanged(NOW, TERMINATION), member())

    assert action.reason == (
        "a member of the swarm; AWS will terminate this instance at 2026-11-23 20:02:00 UTC"
    )


def test_a_member_that_is_told_to_leave_leaves_and_says_why():
    seen, action = story(member(), ToldToLeave(NOW, ORDER), member())

    assert action == Leave(ORDER, f"leaving the swarm: {ORDER}")
    _, action = story(EngineSeen(NOW, "inactive"), view=seen)
    assert isinstance(action, Pause)
    assert action.reason == f"left the swarm: {ORDER}; waiting for AWS to take this instance"


def test_who_has_left_does_not_ask_again_while_the_announcement_stands():
    seen, _ = story(ToldToLeave(NOW, ORDER), member())
    for _ in range(20):
        seen, action = story(EngineSeen(NOW, "inactive"), Paused(NOW), view=seen)
        assert isinstance(action, LookAtEngine)
        seen, action = story(NoticesChanged(NOW, TERMINATION), view=seen)
    assert not isinstance(story(EngineSeen(NOW, "inactive"), view=seen)[1], Ask)


def test_an_agent_started_anew_knows_that_it_has_left():
    _, action = story(Paused(NOW), EngineSeen(NOW, "inactive"), view=View(out=ORDER))

    assert isinstance(action, Pause)


def test_an_agent_that_ended_before_its_engine_had_left_leaves_when_started_anew():
    _, action = story(Paused(NOW), member(), view=View(out=ORDER))

    assert isinstance(action, Leave)


def test_leaving_is_tried_until_the_engine_has_left():
    seen, action = story(ToldToLeave(NOW, ORDER), member(), EngineAway(NOW, "no answer"))
    assert isinstance(action, Pause)
    _, action = story(Paused(NOW), member(), view=seen)
    assert isinstance(action, Leave)


@pytest.mark.parametrize("state", ["pending", "error"])
def test_a_half_joined_engine_that_is_told_to_leave_leaves_for_good(state):
    assert isinstance(story(ToldToLeave(NOW, ORDER), EngineSeen(NOW, state))[1], Leave)


def test_an_announcement_that_is_withdrawn_lets_the_instance_come_back():
    seen, _ = story(ToldToLeave(NOW, ORDER), member(), EngineSeen(NOW, "inactive"))
    seen, action = story(AllClear(NOW), view=seen)
    assert isinstance(action, ComeBack)
    _, action = story(EngineSeen(NOW, "inactive"), view=seen)
    assert isinstance(action, Ask)


def test_an_announcement_that_is_withdrawn_before_anything_came_of_it_is_forgotten():
    seen, action = story(NoticesChanged(NOW, TERMINATION), member(), AllClear(NOW))

    assert isinstance(action, LookAtEngine)
    assert story(member(AT), view=seen)[1].reason == "a member of the swarm"


@pytest.mark.parametrize("action", ["terminate", "stop"])
def test_with_a_silent_leader_a_worker_leaves_ten_seconds_before_aws_acts(action):
    announced = Announcement("interruption", AT, action)
    seen, pause = story(NoticesChanged(NOW, announced), member(AT - 13 * SECOND))
    assert pause.most == 3 * SECOND, "the look before is not slept over"

    seen, leave = story(Paused(NOW), member(AT - 10 * SECOND), view=seen)
    assert isinstance(leave, Leave)
    assert "the leader is silent" in leave.reason
    assert isinstance(story(EngineSeen(AT, "inactive"), view=seen)[1], Pause)


def test_who_is_being_taken_has_no_time_to_listen_to_silence():
    assert story(Paused(NOW))[1].is_listening
    assert story(NoticesChanged(NOW, REBALANCE), Paused(NOW))[1].is_listening
    assert not story(NoticesChanged(NOW, TERMINATION), Paused(NOW))[1].is_listening
    assert not story(ToldToLeave(NOW, ORDER), Paused(NOW))[1].is_listening


def test_leaving_in_time_goes_by_the_leaders_clock_when_ours_is_known_to_be_off():
    offset = timedelta(minutes=-5)
    stale = Denied(NOW, DenialCode.STALE, SECOND, offset)
    fast = NOW - offset

    seen, action = story(stale, NoticesChanged(fast, TERMINATION), member(fast))
    assert isinstance(action, Pause)
    _, action = story(member(fast + 110 * SECOND), view=seen)
    assert isinstance(action, Leave)


@pytest.mark.parametrize(
    "announced", [REBALANCE, MAINTENANCE, Announcement("interruption", AT, "hibernate")]
)
def test_nothing_but_the_end_of_the_machine_makes_a_worker_leave_untold(announced):
    for late in range(0, 600, 5):
        _, action = story(NoticesChanged(NOW, announced), member(NOW + late * SECOND))
        assert isinstance(action, Pause)


def test_a_manager_never_leaves_untold():
    policy = Policy(role=Role.MANAGER)
    _, action = story(NoticesChanged(NOW, TERMINATION), member(AT), policy=policy)

    assert isinstance(action, Pause)


def test_an_instance_that_is_announced_to_go_may_still_ask_for_the_leader_decides():
    _, action = story(NoticesChanged(NOW, TERMINATION), EngineSeen(NOW, "inactive"))

    assert isinstance(action, Ask)


@pytest.mark.parametrize("state", ["active", "pending", "error"])
def test_a_worker_that_hears_nobody_for_long_enough_powers_off(state):
    seen = EngineSeen(NOW, state, silent=POLICY.deadman, missed=POLICY.deadman_looks)
    _, action = story(seen)

    assert action == PowerOff("nobody of the swarm was heard for 0:10:00")


@pytest.mark.parametrize(
    ("silent", "missed"),
    [(POLICY.deadman - SECOND, 100), (timedelta(days=1), POLICY.deadman_looks - 1)],
)
def test_a_silence_too_short_or_looked_at_too_seldom_does_nothing(silent, missed):
    assert isinstance(story(member(silent=silent, missed=missed))[1], Pause)


def test_a_silence_is_said_once_a_minute():
    said = {story(member(silent=s * SECOND, missed=9))[1].reason for s in range(60, 180, 5)}

    assert said == {
        "a member of the swarm; nobody of it was heard for 0:01:00, powering off at 0:10:00",
        "a member of the swarm; nobody of it was heard for 0:02:00, powering off at 0:10:00",
    }


def test_without_a_dead_mans_switch_no_silence_is_too_long():
    policy = Policy(role=Role.WORKER, deadman=timedelta())
    _, action = story(member(silent=timedelta(days=9), missed=999), policy=policy)

    assert isinstance(action, Pause)


def test_a_machine_in_no_swarm_is_never_powered_off():
    _, action = story(EngineSeen(NOW, "inactive", silent=timedelta(days=9), missed=999))

    assert isinstance(action, Ask)


def test_who_survives_the_powering_off_joins_again():
    seen, _ = story(member(silent=POLICY.deadman, missed=9))

    assert isinstance(story(EngineSeen(NOW, "inactive"), view=seen)[1], Ask)


announcements = st.sampled_from([None, TERMINATION, REBALANCE, MAINTENANCE])
happenings = st.one_of(
    st.just(Paused(NOW)),
    st.builds(NoticesChanged, st.just(NOW), announcements),
    st.just(ToldToLeave(NOW, ORDER)),
    st.builds(
        EngineSeen,
        st.sampled_from([NOW, AT]),
        st.sampled_from(["inactive", "pending", "active", "error", "locked"]),
        silent=st.timedeltas(timedelta(), timedelta(hours=1)),
        missed=st.integers(0, 9),
    ),
    st.just(EngineAway(NOW, "away")),
)


@given(st.lists(happenings, max_size=20))
def test_after_an_order_to_leave_nobody_asks_until_all_is_clear(history):
    seen, _ = story(ToldToLeave(NOW, ORDER))
    for event in history:
        seen, action = decide(seen, event, POLICY)
        assert not isinstance(action, Ask)
        if isinstance(action, Pause):
            assert timedelta() < action.least <= action.most
    seen, _ = story(AllClear(NOW), view=seen)
    assert isinstance(story(EngineSeen(NOW, "inactive"), view=seen)[1], Ask)
