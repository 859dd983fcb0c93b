from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.actions import InspectEngine, Leave, Pause, PowerOff, Rejoin, RequestToken
from agent.decide import decide
from agent.events import (
    AllClear,
    Denied,
    EngineInspected,
    EngineUnavailable,
    NoticesChanged,
    OrderedToLeave,
    Paused,
)
from agent.model import AwsNotice, Policy, View
from wire.messages import DenialCode, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = Policy(role=Role.WORKER)
AT = NOW + timedelta(minutes=2)
TERMINATION = AwsNotice("interruption", AT, "terminate")
REBALANCE = AwsNotice("rebalance", NOW)
MAINTENANCE = AwsNotice("maintenance", AT, "stop", "instance-event-1", "instance-stop")
SILENT = "neither a manager nor the leader has responded for"
ORDER = "AWS terminates it at 20:02:00 UTC; no task runs on it"


def run(*events, view=None, policy=POLICY):
    view, action = view or View(), None
    for event in events:
        view, action = decide(view, event, policy)
    return view, action


def member(at=NOW, **fields):
    return EngineInspected(at, "active", **fields)


def test_news_makes_the_agent_inspect_its_engine_at_once():
    for news in (NoticesChanged(NOW, TERMINATION), OrderedToLeave(NOW, ORDER), AllClear(NOW)):
        assert isinstance(run(member(), news)[1], InspectEngine)


def test_the_status_says_what_aws_will_do_and_when():
    _, action = run(NoticesChanged(NOW, TERMINATION), member())

    assert action.reason == (
        "a member of the swarm; AWS will terminate this instance at 2026-11-23 20:02:00 UTC"
    )


def test_a_member_that_is_ordered_to_leave_leaves_and_says_why():
    view, action = run(member(), OrderedToLeave(NOW, ORDER), member())

    assert action == Leave(ORDER, f"leaving the swarm: {ORDER}")
    _, action = run(EngineInspected(NOW, "inactive"), view=view)
    assert isinstance(action, Pause)
    assert action.reason == f"left the swarm: {ORDER}; waiting for AWS to stop this instance"


def test_an_instance_that_left_does_not_join_again_while_the_notice_stands():
    view, _ = run(OrderedToLeave(NOW, ORDER), member())
    for _ in range(20):
        view, action = run(EngineInspected(NOW, "inactive"), Paused(NOW), view=view)
        assert isinstance(action, InspectEngine)
        view, action = run(NoticesChanged(NOW, TERMINATION), view=view)
    assert not isinstance(run(EngineInspected(NOW, "inactive"), view=view)[1], RequestToken)


def test_a_restarted_agent_knows_that_its_instance_has_left():
    _, action = run(Paused(NOW), EngineInspected(NOW, "inactive"), view=View(departure=ORDER))

    assert isinstance(action, Pause)


def test_an_agent_that_stopped_before_its_engine_had_left_leaves_after_its_restart():
    _, action = run(Paused(NOW), member(), view=View(departure=ORDER))

    assert isinstance(action, Leave)


def test_leaving_is_retried_until_the_engine_has_left():
    view, action = run(OrderedToLeave(NOW, ORDER), member(), EngineUnavailable(NOW, "no answer"))
    assert isinstance(action, Pause)
    _, action = run(Paused(NOW), member(), view=view)
    assert isinstance(action, Leave)


@pytest.mark.parametrize("state", ["pending", "error"])
def test_a_half_joined_engine_that_is_ordered_to_leave_leaves_for_good(state):
    assert isinstance(run(OrderedToLeave(NOW, ORDER), EngineInspected(NOW, state))[1], Leave)


def test_a_withdrawn_notice_lets_the_instance_join_again():
    view, _ = run(OrderedToLeave(NOW, ORDER), member(), EngineInspected(NOW, "inactive"))
    view, action = run(AllClear(NOW), view=view)
    assert isinstance(action, Rejoin)
    _, action = run(EngineInspected(NOW, "inactive"), view=view)
    assert isinstance(action, RequestToken)


def test_a_notice_that_is_withdrawn_before_the_instance_left_is_forgotten():
    view, action = run(NoticesChanged(NOW, TERMINATION), member(), AllClear(NOW))

    assert isinstance(action, InspectEngine)
    assert run(member(AT), view=view)[1].reason == "a member of the swarm"


@pytest.mark.parametrize("action", ["terminate", "stop"])
def test_with_a_silent_leader_a_worker_leaves_ten_seconds_before_aws_acts(action):
    notice = AwsNotice("interruption", AT, action)
    view, pause = run(NoticesChanged(NOW, notice), member(AT - 13 * SECOND))
    assert pause.most == 3 * SECOND, "the pause ends in time for the deadline"

    view, leave = run(Paused(NOW), member(AT - 10 * SECOND), view=view)
    assert isinstance(leave, Leave)
    assert "the leader is silent" in leave.reason
    assert isinstance(run(EngineInspected(AT, "inactive"), view=view)[1], Pause)


def test_an_interrupted_instance_does_not_spend_time_on_checking_contact():
    assert run(Paused(NOW))[1].checks_contact
    assert run(NoticesChanged(NOW, REBALANCE), Paused(NOW))[1].checks_contact
    assert not run(NoticesChanged(NOW, TERMINATION), Paused(NOW))[1].checks_contact
    assert not run(OrderedToLeave(NOW, ORDER), Paused(NOW))[1].checks_contact


def test_leaving_in_time_goes_by_the_leaders_clock_if_ours_is_known_to_be_wrong():
    offset = timedelta(minutes=-5)
    stale = Denied(NOW, DenialCode.STALE, SECOND, offset)
    fast = NOW - offset

    view, action = run(stale, NoticesChanged(fast, TERMINATION), member(fast))
    assert isinstance(action, Pause)
    _, action = run(member(fast + 110 * SECOND), view=view)
    assert isinstance(action, Leave)


@pytest.mark.parametrize(
    "notice", [REBALANCE, MAINTENANCE, AwsNotice("interruption", AT, "hibernate")]
)
def test_only_the_end_of_the_machine_makes_a_worker_leave_without_an_order(notice):
    for late in range(0, 600, 5):
        _, action = run(NoticesChanged(NOW, notice), member(NOW + late * SECOND))
        assert isinstance(action, Pause)


def test_a_manager_never_leaves_without_an_order():
    policy = Policy(role=Role.MANAGER)
    _, action = run(NoticesChanged(NOW, TERMINATION), member(AT), policy=policy)

    assert isinstance(action, Pause)


def test_an_instance_with_a_notice_may_still_ask_to_join_for_the_leader_decides():
    _, action = run(NoticesChanged(NOW, TERMINATION), EngineInspected(NOW, "inactive"))

    assert isinstance(action, RequestToken)


@pytest.mark.parametrize("state", ["active", "pending", "error"])
def test_a_worker_that_reaches_nobody_for_long_enough_powers_off(state):
    seen = EngineInspected(NOW, state, silence=POLICY.deadman, missed_checks=POLICY.deadman_checks)
    _, action = run(seen)

    assert action == PowerOff("neither a manager nor the leader has responded for 0:10:00")


@pytest.mark.parametrize(
    ("silence", "missed_checks"),
    [(POLICY.deadman - SECOND, 100), (timedelta(days=1), POLICY.deadman_checks - 1)],
)
def test_a_silence_that_is_too_short_or_was_checked_too_rarely_does_nothing(silence, missed_checks):
    assert isinstance(run(member(silence=silence, missed_checks=missed_checks))[1], Pause)


def test_the_status_mentions_a_silence_once_a_minute():
    statuses = {
        run(member(silence=s * SECOND, missed_checks=9))[1].reason for s in range(60, 180, 5)
    }

    assert statuses == {
        f"a member of the swarm; {SILENT} 0:01:00; powering off after 0:10:00",
        f"a member of the swarm; {SILENT} 0:02:00; powering off after 0:10:00",
    }


def test_without_a_dead_man_switch_no_silence_is_too_long():
    policy = Policy(role=Role.WORKER, deadman=timedelta())
    _, action = run(member(silence=timedelta(days=9), missed_checks=999), policy=policy)

    assert isinstance(action, Pause)


def test_a_machine_in_no_swarm_is_never_powered_off():
    _, action = run(EngineInspected(NOW, "inactive", silence=timedelta(days=9), missed_checks=999))

    assert isinstance(action, RequestToken)


def test_an_instance_that_survives_powering_off_joins_again():
    view, _ = run(member(silence=POLICY.deadman, missed_checks=9))

    assert isinstance(run(EngineInspected(NOW, "inactive"), view=view)[1], RequestToken)


notices = st.sampled_from([None, TERMINATION, REBALANCE, MAINTENANCE])
happenings = st.one_of(
    st.just(Paused(NOW)),
    st.builds(NoticesChanged, st.just(NOW), notices),
    st.just(OrderedToLeave(NOW, ORDER)),
    st.builds(
        EngineInspected,
        st.sampled_from([NOW, AT]),
        st.sampled_from(["inactive", "pending", "active", "error", "locked"]),
        silence=st.timedeltas(timedelta(), timedelta(hours=1)),
        missed_checks=st.integers(0, 9),
    ),
    st.just(EngineUnavailable(NOW, "away")),
)


@given(st.lists(happenings, max_size=20))
def test_after_an_order_to_leave_nothing_asks_to_join_until_all_is_clear(history):
    view, _ = run(OrderedToLeave(NOW, ORDER))
    for event in history:
        view, action = decide(view, event, POLICY)
        assert not isinstance(action, RequestToken)
        if isinstance(action, Pause):
            assert timedelta() < action.least <= action.most
    view, _ = run(AllClear(NOW), view=view)
    assert isinstance(run(EngineInspected(NOW, "inactive"), view=view)[1], RequestToken)
