from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, node, view
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most

from leader.decide import decide
from leader.upkeep.heartbeat import adjust_heartbeat
from leader.upkeep.tokens import Tokens
from leader.view.actions import SetHeartbeat
from leader.view.events import Done, NodesListed
from leader.view.moment import Moment


def sized(nodes, seconds=5):
    return view(*(node(f"n-{number}") for number in range(nodes)), heartbeat=seconds * SECOND)


def wanted(known, policy=POLICY):
    return [action.period // SECOND for action in adjust_heartbeat(Moment(known, policy, NOW))]


@pytest.mark.parametrize(
    ("nodes", "held", "expected"),
    [
        (3, 5, [2]),
        (100, 5, [2]),
        (101, 5, [3]),
        (110, 2, []),
        (111, 2, [3]),
        (400, 5, [3]),
        (440, 3, []),
        (441, 3, [5]),
        (441, 5, []),
        (101, 3, []),
        (100, 3, [2]),
    ],
)
def test_a_small_swarm_beats_often_and_a_large_one_seldom(nodes, held, expected):
    assert wanted(sized(nodes, held)) == expected


@at_most(30)
@given(st.sampled_from([100, 400]), st.lists(st.integers(-2, 4), min_size=2, max_size=12))
def test_at_the_edge_there_is_no_back_and_forth(edge, steps):
    held, changes = 5, 0
    for step in steps:
        for period in wanted(sized(edge + step, held)):
            held, changes = period, changes + 1

    assert changes <= 2


def test_the_operators_own_period_counts():
    assert wanted(sized(3), replace(POLICY, heartbeat=4 * SECOND)) == [4]
    assert wanted(sized(3), replace(POLICY, keeps_heartbeat=True)) == []


def test_nothing_is_set_before_the_period_is_known():
    assert wanted(replace(sized(3), heartbeat=None)) == []


def test_the_period_is_learnt_from_the_list_and_set_once():
    known = view(tokens=Tokens(worker_rotated=NOW), instances_at=NOW)
    listed = NodesListed("e-1", NOW, (node("n-1"),), heartbeat=5 * SECOND)

    known, actions = decide(known, listed, POLICY)

    (action,) = (one for one in actions if isinstance(one, SetHeartbeat))
    assert "Down after 6 s instead of 15" in action.reason
    known, _ = decide(known, Done("e-2", NOW, action), POLICY)
    assert known.heartbeat == 2 * SECOND
    assert wanted(known) == []
