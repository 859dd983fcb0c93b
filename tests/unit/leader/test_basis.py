"""A node change carries the node that it was decided on, as a change of a service does."""

from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, instance, view
from swarm_model import QUIET, worker

from leader.decide import decide
from leader.learn import done
from leader.leaving.starting import hinted_step
from leader.view.actions import ActivateNode, PauseNode
from leader.view.events import Done, NodesListed, Noticed, Ticked
from leader.view.model import NodeBasis
from leader.view.moment import Moment
from leader.view.notices import Notice
from wire.labels import HINTED, LABEL_DEADLINE, LABEL_OTHERS, LABEL_PHASE, LABEL_SINCE, time_text
from wire.messages import Availability, Role

MINUTES = 60 * SECOND
HINT = {
    LABEL_PHASE: HINTED,
    LABEL_SINCE: time_text(NOW),
    LABEL_DEADLINE: time_text(NOW + 30 * MINUTES),
    LABEL_OTHERS: "5",
}


def hinted(availability):
    return worker(1, labels=HINT, availability=availability)


def seen(*nodes, **said):
    instances = {one.instance: instance(one.instance) for one in nodes}
    return view(*nodes, instances=instances, instances_at=NOW, tokens=QUIET, **said)


def test_an_action_on_a_node_carries_what_was_known_of_the_node():
    node = worker(1)
    notice = Notice("i-1", "interruption", "agent", NOW, NOW + 2 * MINUTES, "terminate")

    _, actions = decide(seen(node), Noticed("e", NOW, notice), POLICY)

    (pause,) = (one for one in actions if isinstance(one, PauseNode))
    assert pause.basis == node.basis


@pytest.mark.parametrize(
    "change",
    [
        {"availability": Availability.DRAIN},
        {"role": Role.MANAGER},
        {"labels": {"spotswarm.instance": "i-2"}},
        {"labels": {"spotswarm.instance": "i-1", "spotswarm.phase": "leaving"}},
    ],
)
def test_what_people_and_leaders_change_counts(change):
    assert replace(worker(1), **change).basis != worker(1).basis


@pytest.mark.parametrize(
    "change",
    [
        {"status": "down"},
        {"reachability": "unreachable"},
        {"labels": {"spotswarm.instance": "i-1", "mine": "x", "spotswarm.since": "then"}},
    ],
)
def test_what_changes_by_itself_or_is_none_of_ours_does_not_count(change):
    assert replace(worker(1), **change).basis == worker(1).basis


def test_the_basis_of_a_spec_is_that_of_its_node():
    node = hinted(Availability.PAUSE)

    assert NodeBasis.of(Role.WORKER, Availability.PAUSE, node.labels) == node.basis


def test_after_our_own_change_the_next_one_is_based_on_it():
    """Between two lists, a change must not be refused because of the one before."""
    before = seen(worker(1, labels={LABEL_PHASE: "joining"}, availability=Availability.DRAIN))
    before = replace(before, probed=frozenset({"n-1"}))
    before, actions = decide(before, Ticked("e", NOW), POLICY)
    (activation,) = (one for one in actions if isinstance(one, ActivateNode))

    after = done(before, activation, NOW, POLICY)

    expected = worker(1).basis
    assert after.nodes["n-1"].basis == expected


@pytest.mark.parametrize(
    ("availability", "afterwards"),
    [
        (Availability.PAUSE, Availability.ACTIVE),
        (Availability.DRAIN, Availability.DRAIN),
    ],
)
def test_a_hinted_node_that_the_operator_drained_stays_drained_when_the_hint_ends(
    availability, afterwards
):
    """A9: it was set active, and tasks began on a node that somebody wanted empty."""
    node, at = hinted(availability), NOW + 31 * MINUTES
    action = hinted_step(node, Moment(seen(node), POLICY, at), serving=1).action

    assert isinstance(action, ActivateNode)
    assert action.is_drained is (availability is Availability.DRAIN)
    assert ("stays drained" in action.reason) is action.is_drained
    after = done(seen(node), action, at, POLICY)
    assert after.nodes["n-1"].availability is afterwards
    assert after.nodes["n-1"].phase == ""
    assert (after.moves.node_added_at is None) is action.is_drained


def test_a_node_that_stays_drained_is_left_alone_afterwards():
    node, at = hinted(Availability.DRAIN), NOW + 31 * MINUTES
    known = replace(seen(node), nodes_at=at, instances_at=at)
    known, actions = decide(known, NodesListed("e", at, (node,)), POLICY)
    (end,) = (one for one in actions if isinstance(one, ActivateNode))

    known, _ = decide(known, Done("e", at, end), POLICY)
    bare = replace(known.nodes["n-1"], labels={"spotswarm.instance": "i-1"})
    _, actions = decide(known, NodesListed("e", at + SECOND, (bare,)), POLICY)

    assert actions == ()
