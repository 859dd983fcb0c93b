from dataclasses import replace

from builders import NOW, POLICY, SECOND, manager_node
from leaving_nodes import (
    TO_END,
    TO_STAY,
    drained,
    leaver,
    returner,
    seen,
)
from swarm_model import worker

from leader.decide import decide
from leader.leaving.stages import start_leaving
from leader.view.actions import (
    DrainNode,
    PauseNode,
)
from leader.view.events import Done, Failed, InstancesListed, NodesListed, Ticked
from leader.view.notices import Notices
from leader.view.terms import leaving_of
from wire.messages import Availability

LEADER = manager_node("n-8", is_leader=True)


def test_only_a_manager_that_stays_is_remembered_as_one():
    said = {"reason": "x"}

    assert start_leaving(LEADER, TO_STAY, **said).labels["spotswarm.was"] == "manager"
    assert "spotswarm.was" not in start_leaving(LEADER, TO_END, **said).labels
    assert "spotswarm.was" not in start_leaving(worker(1), TO_STAY, **said).labels


def test_a_node_that_was_drained_stays_drained_when_it_begins_to_leave():
    assert start_leaving(drained(), TO_END, reason="x").is_drained
    action = start_leaving(drained(), TO_END, reason="x")
    after, _ = decide(seen(drained()), Done("e-1", NOW, action), POLICY)
    assert after.nodes["n-1"].availability is Availability.DRAIN


def test_what_fails_while_a_node_leaves_is_tried_again_within_seconds():
    known = seen(leaver())
    at = NOW
    for _ in range(12):
        known, actions = decide(known, Ticked("e-1", at), POLICY)
        (drain,) = (one for one in actions if isinstance(one, DrainNode))
        known, _ = decide(known, Failed("e-2", at, drain, "no"), POLICY)
        at += 4 * SECOND
        known = replace(known, nodes_at=at, instances_at=at)


def test_a_pause_that_fails_is_tried_again_within_seconds():
    action = start_leaving(worker(1), TO_END, reason="x")
    known = seen(worker(1))
    for _ in range(12):
        known, _ = decide(known, Failed("e-1", NOW, action, "no"), POLICY)

    assert known.setbacks[action.subject].until <= NOW + 4 * SECOND


def test_an_old_list_of_nodes_does_not_undo_what_was_done():
    known = seen(worker(1))
    action = start_leaving(worker(1), TO_END, reason="x")
    known, _ = decide(known, Done("e-1", NOW + SECOND, action), POLICY)

    old = NodesListed("e-2", NOW + 2 * SECOND, (worker(1),), requested_at=NOW)
    known, _ = decide(known, old, POLICY)
    assert known.nodes["n-1"].phase == "leaving"

    new = replace(old, requested_at=NOW + 2 * SECOND)
    known, _ = decide(known, new, POLICY)
    assert known.nodes["n-1"].phase == ""


def test_what_is_known_of_an_instance_that_is_gone_is_forgotten():
    notices = Notices(departed={"i-7": NOW}, ordered={"i-7": (NOW, NOW)}, to_terminate={"i-7": "x"})
    known, _ = decide(seen(worker(1), notices=notices), InstancesListed("e-1", NOW, ()), POLICY)

    assert known.notices == Notices()


def test_deciding_again_on_a_leaving_node_gives_nothing_new():
    for known in (seen(leaver()), seen(drained()), seen(drained(TO_STAY)), seen(returner())):
        after, actions = decide(known, Ticked("e-1", NOW), POLICY)
        assert len(actions) == 1
        assert decide(after, Ticked("e-2", NOW), POLICY) == (after, ())


def test_a_paused_nodes_labels_are_written_as_they_are_read():
    action = start_leaving(worker(1), TO_END, reason="x")
    assert isinstance(action, PauseNode)
    after, _ = decide(seen(worker(1)), Done("e-1", NOW, action), POLICY)
    assert leaving_of(after.nodes["n-1"]) == TO_END
