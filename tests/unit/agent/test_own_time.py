"""What the agent says of an engine that does not respond, and a machine whose clock is set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.actions import Leave, Pause, RequestToken
from agent.decide import decide
from agent.events import Denied, EngineInspected, EngineUnavailable, NoticesChanged, Paused
from agent.model import AwsNotice, Policy, View
from agent.notices import INTERRUPTION, NoticeBoard, update
from wire.messages import DenialCode, Role

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
POLICY = Policy(role=Role.WORKER)
FROZEN = "could not read the engine's state: the engine is not responding"


def run(*events, view=None):
    view, action = view or View(), None
    for event in events:
        view, action = decide(view, event, POLICY)
    return view, action


def notice(deadline, step=timedelta()):
    return AwsNotice("interruption", deadline, "terminate", step=step)


def test_while_the_engine_is_frozen_the_agent_does_not_say_that_all_is_well():
    """B6: the status was "a member of the swarm" while dockerd was frozen."""
    view, paused = run(EngineInspected(NOW, "active"), EngineUnavailable(NOW, FROZEN))
    view, looking = run(Paused(NOW), view=view)
    view, again = run(EngineUnavailable(NOW, FROZEN), view=view)

    assert isinstance(paused, Pause)
    assert paused.reason == f"{FROZEN}; it was a member of the swarm before"
    # The text stays the same from look to look, because each change is logged.
    assert looking.reason == again.reason == paused.reason
    _, well = run(EngineInspected(NOW, "active"), view=view)
    assert well.reason == "a member of the swarm"


def test_a_notice_is_shown_while_the_engine_is_frozen():
    known = notice(NOW + 120 * SECOND)
    view, _ = run(EngineInspected(NOW, "active"), NoticesChanged(NOW, known))
    _, paused = run(EngineUnavailable(NOW, FROZEN), view=view)

    assert paused.reason.startswith(FROZEN)
    assert "AWS will terminate this instance" in paused.reason


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_worker_leaves_in_time_though_its_clock_was_set_before_the_notice(step):
    """The date of AWS is true, and the machine's clock was wrong until it was set."""
    known = notice(NOW + step + 120 * SECOND, step)
    view, _ = run(EngineInspected(NOW, "active"), NoticesChanged(NOW, known))

    assert not isinstance(run(EngineInspected(NOW + 105 * SECOND, "active"), view=view)[1], Leave)
    assert isinstance(run(EngineInspected(NOW + 111 * SECOND, "active"), view=view)[1], Leave)


def test_a_worker_whose_clock_is_behind_leaves_before_aws_acts():
    view, _ = run(
        EngineInspected(NOW, "active"), NoticesChanged(NOW, notice(NOW + HOUR + 120 * SECOND))
    )

    assert isinstance(run(EngineInspected(NOW + 111 * SECOND, "active"), view=view)[1], Leave)


def test_setting_the_clock_makes_a_known_notice_no_news():
    first, again = notice(NOW + 120 * SECOND), notice(NOW + 120 * SECOND, HOUR)
    board, news = update(NoticeBoard(), INTERRUPTION, (first,), NOW)
    assert news is not None

    board, news = update(board, INTERRUPTION, (again,), NOW + 2 * SECOND)

    assert news is None
    assert replace(first, step=HOUR) == first
    assert board.standing[0].first_seen == NOW


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_a_clock_that_was_set_after_the_leader_measured_it_is_not_counted_twice(offset):
    """The worker's clock was off by `offset` when it joined, and was set right afterwards."""
    stale = Denied(NOW, DenialCode.STALE, SECOND, offset)
    known = notice(NOW + offset + 120 * SECOND, step=offset)
    view, _ = run(stale, EngineInspected(NOW, "active"), NoticesChanged(NOW, known))

    assert not isinstance(run(EngineInspected(NOW + 105 * SECOND, "active"), view=view)[1], Leave)
    assert isinstance(run(EngineInspected(NOW + 111 * SECOND, "active"), view=view)[1], Leave)


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_a_clock_that_the_leader_measured_after_it_was_set_is_not_counted_twice(offset):
    """Somebody set the worker's clock wrong, by `-offset`, before the worker joined."""
    stale = Denied(NOW, DenialCode.STALE, SECOND, offset, step=-offset)
    known = notice(NOW + 120 * SECOND, step=-offset)
    view, _ = run(stale, EngineInspected(NOW, "active"), NoticesChanged(NOW, known))

    assert not isinstance(run(EngineInspected(NOW + 105 * SECOND, "active"), view=view)[1], Leave)
    assert isinstance(run(EngineInspected(NOW + 111 * SECOND, "active"), view=view)[1], Leave)


def test_once_the_clock_is_right_again_requests_are_signed_with_it():
    view, wrong = run(Denied(NOW, DenialCode.STALE, SECOND, HOUR))
    view, right = run(Denied(NOW, DenialCode.STALE, SECOND, timedelta(), step=HOUR), view=view)

    assert isinstance(wrong, RequestToken)
    assert isinstance(right, RequestToken)
    assert (wrong.clock_offset, right.clock_offset) == (HOUR, timedelta())


def test_another_notice_does_not_make_a_known_interruption_later():
    known = notice(NOW + HOUR)
    view, _ = run(NoticesChanged(NOW, known), NoticesChanged(NOW + 30 * SECOND, known))

    assert view.notice_at == NOW
