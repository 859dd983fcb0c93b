from dataclasses import dataclass, replace

import pytest
from builders import (
    NOW,
    POLICY,
    SECOND,
    ask,
    instance,
    manager_instance,
    manager_node,
    node,
    view,
)

from leader.decide import decide, first_view
from leader.view.actions import (
    ActivateNode,
    DenyJoin,
    GrantJoin,
    LabelNode,
    ListInstances,
    ProbeNode,
    RotateToken,
)
from leader.view.events import (
    Done,
    Failed,
    InstancesListed,
    JoinAsked,
    JoinUnproven,
    NodesListed,
    Ticked,
)
from leader.view.model import Asker, Denied, Tokens
from wire.messages import Availability, DenialCode, Role

QUIET = Tokens(worker_rotated=NOW)
LEADER = manager_node("n-9", is_leader=True, labels={"spotswarm.instance": "i-9"})
STEADY = view(LEADER, tokens=QUIET, instances_at=NOW)


class Story:
    """A view fed event by event, collecting what was decided."""

    def __init__(self, seen=STEADY):
        self.view = seen
        self.number = 0

    def tell(self, kind, *values, at=NOW):
        self.number += 1
        self.view, actions = decide(self.view, kind(f"e-{self.number}", at, *values), POLICY)
        return actions

    def do(self, action, at=NOW):
        return self.tell(Done, action, at=at)


def test_a_worker_joins_from_its_request_to_its_activation():
    story = Story()

    (grant,) = story.tell(JoinAsked, ask(instance("i-1")))
    assert isinstance(grant, GrantJoin)
    assert grant.managers == ("10.0.0.9",)
    assert grant.cause == "e-1"
    assert "spot" in grant.reason
    assert story.do(grant) == ()

    new = node("n-1", availability=Availability.DRAIN)
    (label,) = story.tell(NodesListed, (LEADER, new))
    assert isinstance(label, LabelNode)
    assert label.labels["spotswarm.key"] == "key"

    (probe,) = story.do(label)
    assert isinstance(probe, ProbeNode)
    (activate,) = story.do(probe)
    assert isinstance(activate, ActivateNode)
    assert story.do(activate) == ()
    assert story.view.nodes["n-1"].availability is Availability.ACTIVE

    bound = replace(new, labels={"spotswarm.instance": "i-1"}, availability=Availability.ACTIVE)
    assert story.tell(NodesListed, (LEADER, bound)) == ()
    assert story.view.outstanding == {}


def test_a_denial_is_an_action_with_its_reason():
    (denial,) = Story().tell(JoinAsked, ask(instance(role="manager"), role=Role.MANAGER))

    assert isinstance(denial, DenyJoin)
    assert denial.denied.code is DenialCode.SPOT_MANAGER
    assert denial.asker.instance == "i-1"
    assert "must be on-demand" in denial.reason


def test_an_unproven_request_is_denied_and_changes_nothing():
    asker = Asker("a" * 32, "b" * 32, "key", Role.WORKER)
    denied = Denied(DenialCode.STALE, "signed 600 s before the leader's time")
    story = Story()

    (action,) = story.tell(JoinUnproven, asker, denied)

    assert action == DenyJoin(asker=asker, denied=denied, cause="e-1")
    assert replace(story.view, in_flight=frozenset()) == STEADY


def test_of_two_managers_that_ask_together_the_second_waits_for_the_first():
    story = Story()

    (first,) = story.tell(JoinAsked, ask(manager_instance("i-1"), Role.MANAGER, nonce="1" * 32))
    (second,) = story.tell(JoinAsked, ask(manager_instance("i-2"), Role.MANAGER, nonce="2" * 32))
    assert isinstance(first, GrantJoin)
    assert second.denied.code is DenialCode.MANAGER_CHANGE

    arrived = manager_node("n-1", labels={"spotswarm.instance": "i-1"})
    (rotate,) = story.tell(NodesListed, (LEADER, arrived))
    assert rotate == RotateToken(role=Role.MANAGER, reason=rotate.reason, cause="e-3")
    assert story.do(rotate) == ()
    (third,) = story.tell(JoinAsked, ask(manager_instance("i-2"), Role.MANAGER, nonce="3" * 32))
    assert isinstance(third, GrantJoin)


def test_a_grant_nobody_used_expires_and_its_token_is_rotated():
    story = Story()
    story.do(*story.tell(JoinAsked, ask(manager_instance("i-1"), Role.MANAGER)))

    actions = story.tell(Ticked, at=NOW + POLICY.grant_lifetime)

    assert story.view.outstanding == {}
    assert [type(action) for action in actions] == [RotateToken, ListInstances] or [
        type(action) for action in actions
    ] == [ListInstances, RotateToken]


def test_a_grant_that_could_not_be_sent_is_not_outstanding():
    story = Story()
    (grant,) = story.tell(JoinAsked, ask(instance("i-1")))

    story.tell(Failed, grant, "the broker is not responding")

    assert story.view.outstanding == {}


def test_a_failed_action_is_tried_again_later_and_later():
    new = node("n-1")
    story = Story(replace(STEADY, instances={"i-1": instance("i-1")}))
    (label,) = story.tell(NodesListed, (LEADER, new))

    assert story.tell(Failed, label, "the engine is not responding") == ()
    (again,) = story.tell(Ticked, at=NOW + SECOND)
    assert again.node == "n-1"
    assert story.tell(Failed, again, "the engine is not responding", at=NOW + SECOND) == ()
    assert story.tell(Ticked, at=NOW + 2 * SECOND) == ()
    (third,) = story.tell(Ticked, at=NOW + 3 * SECOND)
    story.do(third)
    assert story.view.setbacks == {}


def test_a_new_leader_rotates_both_tokens_for_it_cannot_know_who_had_them():
    story = Story(first_view())

    (first,) = (
        action for action in story.tell(NodesListed, (LEADER,)) if isinstance(action, RotateToken)
    )
    (second,) = story.do(first)

    assert [first.role, second.role] == [Role.MANAGER, Role.WORKER]
    assert story.do(second) == ()
    assert story.view.tokens == Tokens(worker_rotated=NOW)


def test_a_new_leader_takes_over_a_join_in_the_middle():
    labelled = {"spotswarm.instance": "i-1", "spotswarm.phase": "joining"}
    half = node("n-1", availability=Availability.DRAIN, labels=labelled)
    unbound = node("n-2", availability=Availability.DRAIN)
    story = Story(replace(first_view(), tokens=QUIET))

    actions = story.tell(NodesListed, (LEADER, half, unbound))
    assert {type(action) for action in actions} == {ProbeNode, ListInstances}

    actions = story.tell(InstancesListed, (instance("i-1"), instance("i-2")))
    assert [action.node for action in actions] == ["n-2"]


def test_workers_count_towards_the_batch_that_rotates_their_token():
    story = Story()
    for number in range(POLICY.worker_batch):
        said = {"address": f"10.1.0.{number}"}
        story.tell(JoinAsked, ask(instance(f"i-1{number:02}", **said), nonce=f"{number:032x}"))

    assert story.view.tokens.worker_grants == POLICY.worker_batch


def test_every_action_names_the_event_that_caused_it():
    story = Story(first_view())

    actions = [
        *story.tell(JoinAsked, ask()),
        *story.tell(NodesListed, (LEADER, node("n-1", availability=Availability.DRAIN))),
    ]

    assert len(actions) >= 3
    assert all(action.cause for action in actions)


def test_an_event_nobody_decides_on_is_a_bug():
    @dataclass
    class Weather:
        id: str
        at: object

    with pytest.raises(TypeError, match="Weather"):
        decide(STEADY, Weather("e-1", NOW), POLICY)
