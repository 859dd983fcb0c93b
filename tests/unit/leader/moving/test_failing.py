"""Replacements that fail again and again on one node start elsewhere."""

from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, view
from hypothesis import given
from hypothesis import strategies as st
from leader_play import WEB, Play, Watched, assert_as_found, said, swarm
from randomness import at_most
from swarm_model import QUIET, service, task, worker

from leader.moving.evacuate import evacuate
from leader.moving.loan import Loan, loan_of, text_of
from leader.view.moment import Moment
from leader.view.work import Work
from wire.labels import LABEL_LOAN
from wire.messages import Availability

AWAY = Loan("evacuate", NOW, away_from=("n-1",), constraints=("node.id!=n-1",), template="image 1")
LEAVER = worker(
    1,
    availability=Availability.PAUSE,
    labels={"spotswarm.phase": "leaving", "spotswarm.deadline": (NOW + 90 * SECOND).isoformat()},
)
LENT = service(
    replicas=1,
    template="image 1",
    update_state="paused",
    constraints=AWAY.constraints,
    labels={LABEL_LOAN: text_of(AWAY)},
)
SERVES = task("t-1", created=NOW - 60 * SECOND)


def failed(number, on="n-2", *, state="failed", created=NOW + SECOND, **said):
    return task(f"f-{number}", on=on, state=state, desired="shutdown", created=created, **said)


AGAIN = task("t-2", on="n-2", state="assigned", created=NOW + 5 * SECOND)
"""The next replacement, which Swarm has placed on the same node again."""


def changes(tasks, *nodes, lent=LENT, policy=POLICY):
    nodes = nodes or (LEAVER, worker(2), worker(3))
    seen = view(*nodes, work=Work.of([lent], [SERVES, *tasks]), tokens=QUIET)
    return list(evacuate(Moment(seen, policy, NOW + 20 * SECOND)))


@pytest.mark.parametrize("state", ["failed", "rejected", "complete"])
def test_a_node_where_replacements_failed_twice_is_avoided_too(state):
    (change,) = changes([failed(1, state=state), failed(2, state=state), AGAIN])

    assert change.constraints == ("node.id!=n-1", "node.id!=n-2")
    loan = loan_of(replace(LENT, labels={LABEL_LOAN: change.label}))
    assert loan.away_from == ("n-1", "n-2")
    assert "failed repeatedly on ip-10-0-0-2" in change.reason


@pytest.mark.parametrize(
    "tasks",
    [
        [failed(1)],
        [failed(1), failed(2, on="n-3")],
        [failed(1), failed(2, created=NOW - SECOND)],
        [failed(1), failed(2, on="n-1")],
        [failed(1), failed(2, on="n-9")],
        [failed(1, state="complete", may_end=True), failed(2, state="complete", may_end=True)],
    ],
)
def test_one_failure_or_old_ones_are_no_reason(tasks):
    assert changes([*tasks, AGAIN]) == []


def test_the_last_node_is_not_taken_from_a_service_that_fails_everywhere():
    tasks = [failed(1), failed(2), failed(3, on="n-3"), failed(4, on="n-3")]

    assert changes([*tasks, AGAIN]) == []
    assert changes([failed(1), failed(2), AGAIN], LEAVER, worker(2)) == []


def test_a_replacement_that_starts_elsewhere_is_waited_for():
    tasks = [failed(1), failed(2)]
    starting = task("t-2", on="n-3", state="starting", created=NOW + 5 * SECOND)

    assert changes([*tasks, starting]) == []
    assert len(changes([*tasks, AGAIN])) == 1


def test_a_replacement_that_is_not_in_the_list_of_tasks_yet_is_waited_for():
    """It may be on another node, and Swarm would keep it in place of the task that serves."""
    assert changes([failed(1), failed(2)]) == []


def test_a_node_that_was_avoided_for_failures_stays_avoided_when_another_leaves():
    away = replace(AWAY, away_from=("n-1", "n-2"), constraints=("node.id!=n-1", "node.id!=n-2"))
    lent = replace(LENT, constraints=away.constraints, labels={LABEL_LOAN: text_of(away)})
    second = replace(LEAVER, id="n-3", hostname="ip-10-0-0-3")
    serves = task("t-2", on="n-3", slot=2, created=NOW - 60 * SECOND)

    (change,) = changes([serves], LEAVER, worker(2), second, worker(4), lent=lent)

    assert set(change.constraints) == {"node.id!=n-1", "node.id!=n-2", "node.id!=n-3"}


def test_an_owner_that_updates_the_service_meanwhile_is_left_alone():
    theirs = replace(LENT, template="image 2")

    assert changes([failed(1), failed(2), AGAIN], lent=theirs) == []


def test_tasks_that_no_node_takes_do_not_keep_others_from_moving():
    policy = replace(POLICY, moves_at_once=1)
    waiting = task(
        "t-2", on=None, state="pending", trouble="no suitable node (max replicas per node)"
    )
    api = service("api", replicas=3)
    seen = view(
        LEAVER,
        worker(2),
        tokens=QUIET,
        work=Work.of([LENT, api], [SERVES, waiting, task("a", "api")]),
    )

    (change,) = evacuate(Moment(seen, policy, NOW))

    assert change.name == "api"


def test_a_service_that_fails_on_the_emptiest_node_is_moved_all_the_same():
    play = Play(swarm(nodes=4, replicas=3))
    before = {name: said(one) for name, one in play.swarm.services.items()}
    (empty,) = {"n-1", "n-2", "n-3", "n-4"} - {
        one.node for one in play.swarm.tasks.values() if one.is_up
    }
    play.swarm.broken = {empty}
    watched = Watched(play)
    (left, *_) = sorted(one.node for one in play.swarm.tasks.values() if one.is_up)

    play.interrupt(play.swarm.nodes[left].instance)
    play.run_until_quiet()

    assert watched.least == {"web": 3}
    assert play.swarm.serving(WEB) == 3
    assert_as_found(play, before)
    assert any("failed repeatedly" in action.reason for action in play.decided)
    assert not any(getattr(action, "unmoved", ()) for action in play.decided)


def test_a_task_that_must_be_alone_on_its_node_moves_when_a_node_joins():
    play = Play(swarm(nodes=2, replicas=2, most_per_node=1))
    watched = Watched(play)
    play.interrupt("i-1")
    play.run(20)
    assert play.swarm.serving(WEB) == 2

    play.swarm.nodes["n-7"] = worker(7)
    play.run_until_quiet()

    assert watched.least == {"web": 2}
    assert not any(getattr(action, "unmoved", ()) for action in play.decided)


@at_most(10)
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.integers(1, 5), min_size=1, max_size=2, unique=True),
    st.lists(st.sampled_from([0, 0, 1, 2]), min_size=1, max_size=3),
)
def test_while_another_node_works_no_request_is_lost_to_a_broken_one(
    replicas, broken, taken, delays
):
    play = Play(swarm(nodes=5, replicas=replicas), delays=delays)
    before = {name: said(one) for name, one in play.swarm.services.items()}
    play.swarm.broken = {f"n-{broken}"}
    watched = Watched(play)

    for number in taken:
        play.interrupt(f"i-{number}")
        play.run(3)
    play.run_until_quiet()

    assert watched.least == {"web": replicas}
    assert_as_found(play, before)
