from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, manager_node
from hypothesis import given
from hypothesis import strategies as st
from leaving_term import DEADLINE, MINUTE, Term, cluster, hint, notice
from randomness import at_most
from swarm_model import worker

from leader.leaving.starting import start
from leader.view.actions import ActivateNode, PauseNode, ReplaceInstance
from leader.view.moment import Moment
from leader.view.terms import Then, leaving_of
from wire.messages import Availability


def test_a_hint_pauses_its_node_and_asks_for_a_replacement_once():
    term = Term().notice(hint(1)).tick(NOW + SECOND).tick(NOW + MINUTE)

    assert term.phase() == "hinted"
    assert term.view.nodes["n-1"].availability is Availability.PAUSE
    (asked,) = term.of(ReplaceInstance)
    assert asked.instance == "i-1"
    assert asked.avoid == (("t3.small", "eu-central-1a"),)


@pytest.mark.parametrize("is_busy", [True, False])
@at_most(25)
@given(st.integers(1, 7), st.permutations(range(1, 8)))
def test_hints_never_pause_more_than_half_of_the_workers(is_busy, workers, order):
    term = Term(cluster(*(worker(number) for number in range(1, workers + 1))), is_busy=is_busy)

    for number in order:
        term.notice(hint(number))
    term.tick(NOW + SECOND)

    assert len(term.of(PauseNode)) == workers // 2


def test_a_hint_that_had_no_room_is_heeded_when_there_is():
    term = Term(cluster(worker(1), worker(2))).notice(hint(1)).notice(hint(2))
    assert term.phase("n-2") == ""

    grown = {f"n-{n}": worker(n) for n in (3, 4)}
    term.view = replace(term.view, nodes={**term.view.nodes, **grown})
    term.tick(NOW + SECOND)

    assert term.phase("n-2") == "hinted"


def test_a_manager_is_never_hinted():
    boss = manager_node("n-1", labels={"spotswarm.instance": "i-1"})
    term = Term(cluster(boss, worker(2), worker(3))).notice(hint(1))

    assert term.of(PauseNode) == []


def test_a_hinted_node_leaves_when_one_more_takes_tasks_than_before():
    term = Term().notice(hint(1))
    assert term.phase() == "hinted"

    term.view = replace(term.view, nodes={**term.view.nodes, "n-9": worker(9)})
    term.tick(NOW + MINUTE)

    held = leaving_of(term.view.nodes["n-1"])
    assert (held.why, held.then) == ("rebalance", Then.TERMINATE)
    assert held.deadline == NOW + MINUTE + POLICY.drain_within


def test_a_hinted_node_takes_tasks_again_when_nothing_came_of_it_and_is_not_hinted_twice():
    term = Term().notice(hint(1))
    term.tick(NOW + POLICY.hint_patience - SECOND)
    assert term.of(ActivateNode) == []

    term.tick(NOW + POLICY.hint_patience)
    assert len(term.of(ActivateNode)) == 1
    assert term.phase() == ""

    term.notice(hint(1, source="agent"), at=NOW + POLICY.hint_patience + MINUTE)
    assert len(term.of(PauseNode)) == 1


def test_a_hint_is_followed_by_its_interruption_without_delay():
    term = Term().notice(hint(1)).notice(notice(), at=NOW + SECOND)

    assert term.phase() == "leaving"
    assert leaving_of(term.view.nodes["n-1"]).deadline == DEADLINE


def test_a_hinted_node_whose_labels_were_spoilt_waits_for_its_patience():
    labels = {
        "spotswarm.phase": "hinted",
        "spotswarm.others": "few",
        "spotswarm.deadline": (NOW + MINUTE).isoformat(),
    }
    paused = worker(1, availability=Availability.PAUSE, labels=labels)
    known = cluster(paused, worker(2))

    (asked,) = start(Moment(known, POLICY, NOW))
    assert isinstance(asked, ReplaceInstance)
    (back,) = start(Moment(known, POLICY, NOW + MINUTE))
    assert isinstance(back, ActivateNode)


def test_a_replacement_for_an_instance_that_is_not_known_avoids_what_is_penalised():
    paused = worker(
        1,
        availability=Availability.PAUSE,
        labels={"spotswarm.phase": "hinted", "spotswarm.deadline": (NOW + MINUTE).isoformat()},
    )
    known = replace(cluster(paused, worker(2)), instances={})
    known = replace(known, pools=known.pools.avoid(("m5.large", "a"), DEADLINE))

    (asked,) = start(Moment(known, POLICY, NOW))

    assert asked.avoid == (("m5.large", "a"),)
