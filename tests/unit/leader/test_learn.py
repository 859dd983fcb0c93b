from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, POLICY, SECOND, instance, manager_node, view
from swarm_model import QUIET, service, task, worker

from leader.decide import decide
from leader.learn import done, failed, nodes_listed
from leader.view.actions import (
    DemoteNode,
    DrainNode,
    OrderLeave,
    PauseNode,
    PromoteNode,
    RemoveNode,
    ReplaceInstance,
    TerminateInstance,
)
from leader.view.events import Done, Failed, NodesListed
from leader.view.notices import Listener, Notices
from leader.view.work import Work
from wire.messages import Availability, Role

SAID = {"reason": "because", "cause": "test-1"}
N1 = {"node": "n-1", "instance": "i-1"} | SAID


def after(action, *nodes):
    return done(view(*nodes, tokens=QUIET), action, NOW, POLICY)


@pytest.mark.parametrize(
    ("action", "held"),
    [
        (DrainNode(**N1), ("availability", Availability.DRAIN)),
        (PromoteNode(**N1), ("role", Role.MANAGER)),
        (PauseNode(labels={}, **N1), ("availability", Availability.PAUSE)),
        (RemoveNode(**N1), None),
    ],
)
def test_what_was_done_on_a_node_is_seen_before_the_next_list(action, held):
    nodes = after(action, worker(1)).nodes

    assert ("n-1" in nodes) is (held is not None)
    if held is not None:
        assert getattr(nodes["n-1"], held[0]) is held[1]


def test_a_demoted_manager_no_longer_counts_for_the_majority():
    held = after(DemoteNode(**N1), manager_node("n-1", is_leader=True))

    assert held.managers() == ()
    assert not held.nodes["n-1"].is_leader


def test_an_instance_that_left_and_joined_again_has_not_left():
    left = Notices(departed={"i-1": NOW})
    old, anew = worker(1, created=NOW - SECOND), worker(1, created=NOW + SECOND)

    for nodes, notices in (
        ((old,), left),
        ((replace(anew, status="down"),), left),
        ((anew,), Notices()),
        ((), left),
    ):
        listed = NodesListed("e-1", NOW + 2 * SECOND, nodes)
        assert nodes_listed(view(worker(1), notices=left), listed).notices == notices


def test_of_orders_to_leave_the_first_and_the_last_are_remembered():
    listener = Listener("reply", "key", 0, NOW)
    order = OrderLeave(listener=listener, **N1)

    held = after(order, worker(1))
    again = done(held, order, NOW + timedelta(seconds=5), POLICY)

    assert again.notices.ordered == {"i-1": (NOW, NOW + timedelta(seconds=5))}


@pytest.mark.parametrize("action", [PauseNode(labels={}, **N1), RemoveNode(**N1)])
def test_what_was_done_on_a_node_that_is_gone_changes_no_node(action):
    assert after(action, worker(2)).nodes == {"n-2": worker(2)}


def test_an_instance_that_is_not_known_can_be_ended():
    assert after(TerminateInstance(instance="i-7", **SAID)).instances == {}


def test_tasks_are_not_known_until_a_list_newer_than_a_drain():
    known = view(worker(1), work=Work.of([service()], [task("t-1")]), tokens=QUIET)

    known, _ = decide(known, Done("e-1", NOW, DrainNode(**N1)), POLICY)

    assert known.work is None
    assert known.work_from == NOW


def test_a_fleet_that_refuses_is_not_asked_again_for_minutes():
    action = ReplaceInstance(instance="i-1", avoid=(), **SAID)
    known = view(worker(1), instances={"i-1": instance("i-1")}, tokens=QUIET)

    held = failed(known, action, NOW)

    assert held.setbacks[action.subject].until == NOW + timedelta(minutes=5)
    assert "i-1" not in held.notices.replacements


def test_what_fails_on_a_member_waits_up_to_a_minute():
    known = view(worker(1), tokens=QUIET)
    for _ in range(12):
        known, _ = decide(known, Failed("e-1", NOW, RemoveNode(**N1), "no"), POLICY)

    assert known.setbacks["node n-1"].until == NOW + timedelta(minutes=1)
