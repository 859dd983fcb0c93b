from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, POLICY, instance, manager_node, node
from hypothesis import given
from hypothesis import strategies as st
from leaving_nodes import (
    DEADLINE,
    TO_STAY,
    seen,
    step,
    steps,
)
from randomness import at_most

from leader.decide import decide, due
from leader.leaving.emptying import why_not_demoted
from leader.view.actions import (
    DemoteNode,
    PromoteNode,
    Refuse,
)
from leader.view.events import Done, Ticked
from leader.view.model import Outstanding
from leader.view.moment import Moment
from wire.messages import Availability, Role

LEADER = manager_node("n-8", is_leader=True)


def leaving_manager(**fields):
    return replace(
        manager_node("n-1", availability=Availability.PAUSE, labels=TO_STAY.labels()), **fields
    )


def test_a_manager_is_demoted_before_anything_else():
    known = seen(leaving_manager(), LEADER, manager_node("n-7"))

    assert isinstance(step(known), DemoteNode)


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([], "the only manager"),
        ([manager_node("n-7", status="down")], "only 0 of 1"),
        ([LEADER, manager_node("n-7", reachability="unreachable")], "only 1 of 2"),
        ([LEADER, manager_node("n-7", reachability="unreachable"), manager_node("n-6")], None),
        ([LEADER, manager_node("n-7", status="down"), manager_node("n-6", status="down")], "of 3"),
    ],
)
def test_a_demotion_never_loses_the_majority(others, why):
    leaving = leaving_manager()
    known = seen(leaving, *others)

    hindrance = why_not_demoted(leaving, known)

    assert (hindrance is None) if why is None else (why in hindrance)
    action = step(known)
    assert isinstance(action, DemoteNode if why is None else Refuse)


@at_most(60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ready", "down"]), st.sampled_from(["reachable", "unreachable"])
        ),
        max_size=6,
    )
)
def test_after_any_demotion_more_than_half_of_the_managers_answer(states):
    others = [
        manager_node(f"n-{number}", status=status, reachability=reachability)
        for number, (status, reachability) in enumerate(states, 20)
    ]
    leaving = leaving_manager()

    for action in steps(seen(leaving, *others)):
        answer = [one for one in states if one == ("ready", "reachable")]
        if isinstance(action, DemoteNode):
            assert 2 * len(answer) > len(states)


def test_one_manager_changes_at_a_time():
    joining = Outstanding(instance("i-5"), Role.MANAGER, "key", DEADLINE)
    known = seen(leaving_manager(), LEADER, manager_node("n-7"), outstanding={"i-5": joining})

    action = step(known)

    assert isinstance(action, Refuse)
    assert "only one manager may change at a time" in action.reason


def test_of_two_managers_that_leave_only_one_is_demoted_at_a_time():
    second = replace(leaving_manager(), id="n-3", hostname="second")
    lost = manager_node("n-6", status="down", reachability="unreachable")
    known = seen(leaving_manager(), second, LEADER, lost)

    known, actions = decide(known, Ticked("e-1", NOW), POLICY)
    (first,) = (one for one in actions if isinstance(one, DemoteNode))
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]

    known, _ = decide(known, Done("e-2", NOW, first), POLICY)
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]
    assert "majority" in next(one for one in steps(known) if isinstance(one, Refuse)).reason


def test_no_manager_is_demoted_while_another_becomes_one_again():
    was = {"spotswarm.was": "manager", "spotswarm.phase": "returning"}
    back = node("n-3", availability=Availability.PAUSE, labels=was)
    known = seen(leaving_manager(), back, LEADER, manager_node("n-7"))

    (only,) = steps(known)
    assert isinstance(only, DemoteNode | PromoteNode)
    known = replace(known, in_flight=frozenset({"node n-3"}))
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]


def test_a_refusal_to_demote_is_said_once_in_ten_minutes():
    known = seen(leaving_manager())
    known, actions = decide(known, Ticked("e-1", NOW), POLICY)
    (refusal,) = (one for one in actions if isinstance(one, Refuse))
    known, _ = decide(known, Done("e-2", NOW, refusal), POLICY)

    def refusals(at):
        fresh = replace(known, nodes_at=at, instances_at=at)
        return [action for action in due(Moment(fresh, POLICY, at)) if isinstance(action, Refuse)]

    assert refusals(NOW + timedelta(minutes=9)) == []
    assert len(refusals(NOW + timedelta(minutes=10))) == 1
