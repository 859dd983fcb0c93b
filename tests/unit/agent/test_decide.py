from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.actions import InspectEngine, Join, LeaveByForce, Pause, RequestToken
from agent.decide import decide
from agent.events import (
    Denied,
    EngineInspected,
    EngineUnavailable,
    Granted,
    JoinFailed,
    Paused,
    RequestFailed,
)
from agent.model import Policy, Ticket, View
from wire.messages import Availability, DenialCode, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
POLICY = Policy(role=Role.WORKER)
TICKET = Ticket("the-join-token", ("10.0.0.1:2377",), Availability.DRAIN)
SECOND = timedelta(seconds=1)


def denied(code=DenialCode.NOT_READY, after=2, offset=timedelta()):
    return Denied(NOW, code, after * SECOND, offset)


def run(*events, view=None):
    view, action = view or View(), None
    for event in events:
        view, action = decide(view, event, POLICY)
    return view, action


def test_an_instance_that_boots_becomes_a_member():
    view, action = run(Paused(NOW))
    assert isinstance(action, InspectEngine)
    view, action = run(EngineInspected(NOW, "inactive"), view=view)
    assert action == RequestToken(Role.WORKER, timedelta(), "asking to join as a worker")
    view, action = run(Granted(NOW, TICKET), view=view)
    assert isinstance(action, Join)
    view, action = run(EngineInspected(NOW, "active"), view=view)
    assert isinstance(action, Pause)
    assert action.reason == "a member of the swarm"


def test_a_member_inspects_its_engine_regularly_and_its_status_stays_the_same():
    view, action = run(EngineInspected(NOW, "active"), Paused(NOW))

    assert isinstance(action, InspectEngine)
    assert action.reason == "a member of the swarm"
    assert view.failures == 0


def test_a_member_that_drops_out_of_the_swarm_requests_a_token_again():
    _, action = run(EngineInspected(NOW, "active"), Paused(NOW), EngineInspected(NOW, "inactive"))

    assert isinstance(action, RequestToken)


def test_a_half_joined_engine_leaves_by_force_and_then_requests_a_token():
    view, action = run(EngineInspected(NOW, "error", "context deadline exceeded"))
    assert isinstance(action, LeaveByForce)
    assert "context deadline exceeded" in action.reason

    _, action = run(EngineInspected(NOW, "inactive"), view=view)
    assert isinstance(action, RequestToken)


def test_if_leaving_by_force_does_not_help_the_next_attempt_comes_after_a_pause():
    view, action = run(EngineInspected(NOW, "error"), EngineInspected(NOW, "error"))
    assert isinstance(action, Pause)

    _, action = run(Paused(NOW), EngineInspected(NOW, "error"), view=view)
    assert isinstance(action, LeaveByForce)


def test_an_engine_that_stays_pending_leaves_by_force():
    view, action = run(EngineInspected(NOW, "pending"))
    assert isinstance(action, Pause)
    view, action = run(EngineInspected(NOW + 29 * SECOND, "pending"), view=view)
    assert isinstance(action, Pause)
    view, action = run(EngineInspected(NOW + 30 * SECOND, "pending"), view=view)
    assert isinstance(action, LeaveByForce)
    assert view.pending_since is None


def test_a_locked_swarm_waits_for_a_person():
    _, action = run(EngineInspected(NOW, "locked"))

    assert isinstance(action, Pause)
    assert "docker swarm unlock" in action.reason


def test_an_engine_is_inspected_often_while_it_starts():
    _, action = run(EngineUnavailable(NOW, "the engine is not responding yet"))

    view, later = run(*[EngineUnavailable(NOW, "away")] * (POLICY.engine_attempts + 1))
    assert isinstance(later, Pause)
    assert later.least == POLICY.inspect_every
    assert run(EngineInspected(NOW, "inactive"), view=view)[0].missed_answers == 0
    assert action == Pause(
        POLICY.engine_pause, POLICY.engine_pause, "the engine is not responding yet"
    )


def test_an_instance_with_a_wrong_clock_signs_by_the_leaders_clock_once():
    offset = timedelta(minutes=10)
    view, action = run(denied(DenialCode.STALE, offset=offset))
    assert isinstance(action, RequestToken)
    assert action.clock_offset == offset
    assert "600 s" in action.reason

    _, action = run(denied(DenialCode.STALE, offset=offset), view=view)
    assert isinstance(action, Pause), "the same denial twice is followed by a pause"


def test_after_a_denial_the_agent_waits_as_long_as_the_leader_says():
    _, action = run(denied(DenialCode.MANAGER_CHANGE, after=7))

    assert isinstance(action, Pause)
    assert action.least == 7 * SECOND
    assert "manager-change" in action.reason


@pytest.mark.parametrize(
    "event",
    [
        RequestFailed(NOW, "the broker is not responding"),
        JoinFailed(NOW, "invalid join token"),
        denied(DenialCode.UNKNOWN_INSTANCE),
    ],
)
def test_failures_are_retried_for_ever_after_growing_pauses(event):
    view, pauses = View(), []
    for _ in range(50):
        view, action = decide(view, event, POLICY)
        assert isinstance(action, Pause)
        pauses.append(action.most)
        view, action = decide(view, Paused(NOW), POLICY)
        assert isinstance(action, InspectEngine)

    assert pauses == sorted(pauses)
    assert pauses[-1] == POLICY.longest_pause
    assert pauses[0] < 5 * SECOND


def test_joining_clears_the_record_of_earlier_failures():
    view, _ = run(RequestFailed(NOW, "x"), RequestFailed(NOW, "x"), EngineInspected(NOW, "active"))

    assert view.failures == 0
    assert view.last_problem == ""


offsets = st.timedeltas(timedelta(days=-2), timedelta(days=2))
events = st.one_of(
    st.just(Paused(NOW)),
    st.builds(
        EngineInspected,
        st.just(NOW),
        st.sampled_from(["inactive", "pending", "active", "error", "locked"]),
    ),
    st.just(EngineUnavailable(NOW, "away")),
    st.just(Granted(NOW, TICKET)),
    st.builds(Denied, st.just(NOW), st.sampled_from(DenialCode), st.just(SECOND), offsets),
    st.just(RequestFailed(NOW, "away")),
    st.just(JoinFailed(NOW, "refused")),
)


@given(st.lists(events, max_size=30))
def test_every_history_has_a_next_action_whose_reason_holds_no_secret(history):
    view, action = View(), None
    for event in history:
        view, action = decide(view, event, POLICY)
        assert action is not None
        assert "the-join-token" not in repr(action)
        if isinstance(action, Pause):
            assert timedelta() < action.least <= action.most
