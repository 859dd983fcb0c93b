from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.actions import Ask, Join, LeaveByForce, LookAtEngine, Pause
from agent.decide import decide
from agent.events import AskFailed, Denied, EngineAway, EngineSeen, Granted, JoinFailed, Paused
from agent.model import Policy, Ticket, View
from wire.messages import Availability, DenialCode, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
POLICY = Policy(role=Role.WORKER)
TICKET = Ticket("the-join-token", ("10.0.0.1:2377",), Availability.DRAIN)
SECOND = timedelta(seconds=1)


def denied(code=DenialCode.NOT_READY, after=2, offset=timedelta()):
    return Denied(NOW, code, after * SECOND, offset)


def story(*events, view=None):
    seen, action = view or View(), None
    for event in events:
        seen, action = decide(seen, event, POLICY)
    return seen, action


def test_an_instance_joins_from_its_boot_to_its_membership():
    seen, action = story(Paused(NOW))
    assert isinstance(action, LookAtEngine)
    seen, action = story(EngineSeen(NOW, "inactive"), view=seen)
    assert action == Ask(Role.WORKER, timedelta(), "asking to join as worker")
    seen, action = story(Granted(NOW, TICKET), view=seen)
    assert isinstance(action, Join)
    seen, action = story(EngineSeen(NOW, "active"), view=seen)
    assert isinstance(action, Pause)
    assert action.reason == "a member of the swarm"


def test_a_member_looks_at_its_engine_now_and_then_and_says_nothing_new():
    seen, action = story(EngineSeen(NOW, "active"), Paused(NOW))

    assert isinstance(action, LookAtEngine)
    assert action.reason == "a member of the swarm"
    assert seen.failures == 0


def test_a_member_that_falls_out_of_the_swarm_asks_again():
    _, action = story(EngineSeen(NOW, "active"), Paused(NOW), EngineSeen(NOW, "inactive"))

    assert isinstance(action, Ask)


def test_a_half_joined_engine_leaves_by_force_and_asks_again():
    seen, action = story(EngineSeen(NOW, "error", "context deadline exceeded"))
    assert isinstance(action, LeaveByForce)
    assert "context deadline exceeded" in action.reason

    _, action = story(EngineSeen(NOW, "inactive"), view=seen)
    assert isinstance(action, Ask)


def test_an_engine_that_leaving_does_not_help_is_not_hurried():
    seen, action = story(EngineSeen(NOW, "error"), EngineSeen(NOW, "error"))
    assert isinstance(action, Pause)

    _, action = story(Paused(NOW), EngineSeen(NOW, "error"), view=seen)
    assert isinstance(action, LeaveByForce)


def test_a_pending_engine_is_given_time_then_leaves_by_force():
    seen, action = story(EngineSeen(NOW, "pending"))
    assert isinstance(action, Pause)
    seen, action = story(EngineSeen(NOW + 29 * SECOND, "pending"), view=seen)
    assert isinstance(action, Pause)
    seen, action = story(EngineSeen(NOW + 30 * SECOND, "pending"), view=seen)
    assert isinstance(action, LeaveByForce)
    assert seen.pending_since is None


def test_a_locked_swarm_waits_for_a_person():
    _, action = story(EngineSeen(NOW, "locked"))

    assert isinstance(action, Pause)
    assert "docker swarm unlock" in action.reason


def test_an_engine_that_starts_is_looked_at_often():
    _, action = story(EngineAway(NOW, "the engine does not answer yet"))

    seen, later = story(*[EngineAway(NOW, "away")] * (POLICY.engine_looks + 1))
    assert isinstance(later, Pause)
    assert later.least == POLICY.look_every
    assert story(EngineSeen(NOW, "inactive"), view=seen)[0].away == 0
    assert action == Pause(
        POLICY.engine_pause, POLICY.engine_pause, "the engine does not answer yet"
    )


def test_a_wrong_clock_asks_once_more_by_the_leaders():
    offset = timedelta(minutes=10)
    seen, action = story(denied(DenialCode.STALE, offset=offset))
    assert isinstance(action, Ask)
    assert action.clock_offset == offset
    assert "600 s" in action.reason

    _, action = story(denied(DenialCode.STALE, offset=offset), view=seen)
    assert isinstance(action, Pause), "the same answer twice is no reason to hurry"


def test_a_denial_that_passes_is_waited_for_as_long_as_the_leader_says():
    _, action = story(denied(DenialCode.MANAGER_CHANGE, after=7))

    assert isinstance(action, Pause)
    assert action.least == 7 * SECOND
    assert "manager-change" in action.reason


@pytest.mark.parametrize(
    "event",
    [
        AskFailed(NOW, "the broker does not answer"),
        JoinFailed(NOW, "invalid join token"),
        denied(DenialCode.UNKNOWN_INSTANCE),
    ],
)
def test_failures_are_tried_again_for_ever_and_later_each_time(event):
    seen, pauses = View(), []
    for _ in range(50):
        seen, action = decide(seen, event, POLICY)
        assert isinstance(action, Pause)
        pauses.append(action.most)
        seen, action = decide(seen, Paused(NOW), POLICY)
        assert isinstance(action, LookAtEngine)

    assert pauses == sorted(pauses)
    assert pauses[-1] == POLICY.longest_pause
    assert pauses[0] < 5 * SECOND


def test_joining_forgets_the_failures_before():
    seen, _ = story(AskFailed(NOW, "x"), AskFailed(NOW, "x"), EngineSeen(NOW, "active"))

    assert seen.failures == 0
    assert seen.last_problem == ""


offsets = st.timedeltas(timedelta(days=-2), timedelta(days=2))
events = st.one_of(
    st.just(Paused(NOW)),
    st.builds(
        EngineSeen,
        st.just(NOW),
        st.sampled_from(["inactive", "pending", "active", "error", "locked"]),
    ),
    st.just(EngineAway(NOW, "away")),
    st.just(Granted(NOW, TICKET)),
    st.builds(Denied, st.just(NOW), st.sampled_from(DenialCode), st.just(SECOND), offsets),
    st.just(AskFailed(NOW, "away")),
    st.just(JoinFailed(NOW, "refused")),
)


@given(st.lists(events, max_size=30))
def test_whatever_happens_there_is_a_next_step_and_no_secret_in_its_reason(history):
    seen, action = View(), None
    for event in history:
        seen, action = decide(seen, event, POLICY)
        assert action is not None
        assert "the-join-token" not in repr(action)
        if isinstance(action, Pause):
            assert timedelta() < action.least <= action.most
