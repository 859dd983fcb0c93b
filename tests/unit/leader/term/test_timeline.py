import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from builders import NOW, SECOND, instance, node
from hypothesis import given
from hypothesis import strategies as st
from swarm_model import service, task, worker

from leader.leaving.stages import start_leaving
from leader.moving.loan import Loan, loan_of, text_of
from leader.term.timeline import Timeline
from leader.view.actions import ChangeService, GrantJoin
from leader.view.events import NodesListed, Noticed, Ticked, WorkListed
from leader.view.ids import ServiceId
from leader.view.model import Asker
from leader.view.notices import Notice
from leader.view.terms import Leaving, Then, leaving_of
from wire.labels import LABEL_LOAN
from wire.messages import Role

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NONE = timedelta()
TERMS = Leaving("interruption", NOW - 10 * SECOND, NOW + 110 * SECOND, Then.TERMINATE)


def listed(timeline, *nodes, at=NOW, step=NONE, requested_at=None):
    event = NodesListed("e", at, nodes, requested_at)
    return timeline.received(event, step).nodes


def noticed(timeline, deadline, *, at=NOW, step=NONE, source="agent", seen=None):
    notice = Notice("i-1", "interruption", source, seen or at, deadline, "terminate")
    return timeline.received(Noticed("e", at, notice), step).notice


def test_while_nobody_sets_the_clock_nothing_is_converted():
    timeline, going = Timeline(), worker(1, labels=TERMS.labels())
    loan = service(labels={LABEL_LOAN: text_of(Loan("evacuate", NOW - SECOND))})
    work = WorkListed("e", NOW, (loan,), (task("1"),))

    assert listed(timeline, going) == (going,)
    assert timeline.received(work, NONE) == work
    assert noticed(timeline, NOW + MINUTE).deadline == NOW + MINUTE
    pause = start_leaving(worker(1), TERMS, reason="x")
    assert timeline.sent(pause, NONE) == pause
    tick = Ticked("e", NOW)
    assert timeline.received(tick, HOUR) == tick


@given(st.sampled_from([HOUR, -HOUR, 90 * SECOND]), st.sampled_from([HOUR, -HOUR, NONE]))
def test_labels_keep_the_time_by_which_they_were_first_seen(step, later):
    """Written by us, or by an earlier leader whose clock showed what ours showed then."""
    timeline = Timeline()
    pause = start_leaving(worker(1), TERMS, reason="x")

    sent = timeline.sent(pause, step)
    on_node = worker(1, labels=sent.labels)
    assert leaving_of(on_node).deadline == TERMS.deadline + step

    for now in (step, later):
        (seen,) = listed(timeline, on_node, step=now)
        assert leaving_of(seen) == TERMS


def test_a_label_from_the_future_has_no_more_time_left_than_when_it_was_written():
    ahead = Leaving("x", NOW + HOUR, NOW + HOUR + 2 * MINUTE, Then.STAY)

    (seen,) = listed(Timeline(), worker(1, labels=ahead.labels()))

    assert leaving_of(seen).since == NOW
    assert leaving_of(seen).deadline == NOW + 2 * MINUTE


@pytest.mark.parametrize("damage", ["", "soon", "9999-12-31T23:59:59+00:00", "0001-01-01"])
def test_a_damaged_date_on_a_label_stays_what_it_is_or_is_at_least_a_date(damage):
    labels = TERMS.labels() | {"spotswarm.deadline": damage}

    for step in (NONE, HOUR, -HOUR):
        (seen,) = listed(Timeline(), worker(1, labels=labels), step=step)
        assert leaving_of(seen).then is Then.TERMINATE


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_notice_that_is_repeated_after_the_clock_was_set_has_the_same_deadline(step):
    timeline, deadline = Timeline(), NOW + 2 * MINUTE

    assert noticed(timeline, deadline, seen=NOW).deadline == deadline
    later = NOW + 20 * SECOND
    assert noticed(timeline, deadline, at=later, step=step, seen=NOW).deadline == deadline


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_notice_that_arrives_after_the_clock_was_set_is_converted(step):
    deadline = NOW + 2 * MINUTE + step
    """AWS's date, if the clock was wrong until it was set."""

    assert noticed(Timeline(), deadline, step=step).deadline == NOW + 2 * MINUTE


@pytest.mark.parametrize("source", ["agent", "queue"])
def test_a_clock_that_is_behind_gives_no_more_than_the_two_minutes_of_aws(source):
    found = noticed(Timeline(), NOW + HOUR + 2 * MINUTE, source=source)

    assert found.deadline == NOW + 2 * MINUTE


def test_a_clock_that_is_ahead_does_not_make_an_agents_notice_stale():
    seen = NOW - HOUR
    found = noticed(Timeline(), seen + 2 * MINUTE, seen=seen)

    assert found.deadline == NOW + 2 * MINUTE
    # The queue may deliver what is really old.
    old = noticed(Timeline(), seen + 2 * MINUTE, seen=seen, source="queue")
    assert old.deadline == seen + 2 * MINUTE


@pytest.mark.parametrize("year", [1, 9999])
def test_a_date_at_the_edge_of_the_calendar_is_no_error(year):
    date = datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, 23, 59, tzinfo=UTC)

    for step in (NONE, HOUR, -HOUR):
        for source in ("agent", "queue"):
            noticed(Timeline(), date, seen=date, step=step, source=source)
        listed(Timeline(), node(created=date), step=step)


def test_a_task_is_as_old_as_when_it_was_first_listed():
    timeline = Timeline()
    old = task("1", created=NOW - MINUTE)
    young = task("2", created=NOW + HOUR + 5 * SECOND)

    first = WorkListed("e", NOW, (), (old,), NOW)
    assert timeline.received(first, NONE).tasks == (old,)
    at = NOW + 10 * SECOND
    second = timeline.received(WorkListed("e", at, (), (old, young), at), HOUR)
    assert [one.created for one in second.tasks] == [NOW - MINUTE, NOW + 5 * SECOND]
    third = timeline.received(WorkListed("e", at, (), (old, young), at), -HOUR)
    assert third.tasks == second.tasks


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_what_was_created_just_before_the_clock_was_set_is_new(step):
    timeline = Timeline()
    timeline.received(WorkListed("e", NOW, (), (), NOW), NONE)
    new = task("1", created=NOW + SECOND)

    at = NOW + 2 * SECOND
    (found,) = timeline.received(WorkListed("e", at, (), (new,), at), step).tasks

    assert NOW <= found.created <= at


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_loan_keeps_its_age(step):
    timeline, loan = Timeline(), Loan("rebalance", NOW, own_replicas=2, lent_replicas=3)
    change = ChangeService(
        service=ServiceId("web"),
        name="web",
        version=1,
        constraints=(),
        update=None,
        replicas=3,
        label=text_of(loan),
        reason="x",
    )

    label = timeline.sent(change, step).label
    assert json.loads(label)["since"] == (NOW + step).timestamp()
    lent = service(labels={LABEL_LOAN: label})
    for now in (step, NONE):
        (seen,) = timeline.received(WorkListed("e", NOW, (lent,), ()), now).services
        assert seen.labels[LABEL_LOAN] == text_of(loan)
        assert loan_of(seen) == loan


@pytest.mark.parametrize("label", ["", "[]", "{", '{"since": null}', '{"since": 1e400}', "7"])
def test_a_label_that_is_no_loan_is_left_alone(label):
    for step in (NONE, HOUR):
        lent = service(labels={LABEL_LOAN: label})
        (seen,) = Timeline().received(WorkListed("e", NOW, (lent,), ()), step).services
        assert seen.labels[LABEL_LOAN] == label


def test_a_grant_expires_by_the_clock_that_the_agent_compares_with():
    asker = Asker("n", "r", "key", Role.WORKER, instance="i-1")
    grant = GrantJoin(
        asker=asker, instance=instance(), managers=(), expires=NOW + MINUTE, reason="x"
    )

    assert Timeline().sent(grant, HOUR).expires == NOW + MINUTE + HOUR
    assert Timeline().sent(replace(grant, expires=NOW), NONE).expires == NOW
