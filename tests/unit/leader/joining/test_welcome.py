from dataclasses import replace

from builders import NOW, POLICY, SECOND, instance, manager_instance, manager_node, node, view
from hypothesis import given
from hypothesis import strategies as st

from leader.decide import decide, due
from leader.view.actions import (
    ActivateNode,
    LabelNode,
    ListInstances,
    ProbeNode,
    RemoveNode,
    RotateToken,
)
from leader.view.events import Ticked
from leader.view.ids import NodeId
from leader.view.model import Outstanding, Setback, Tokens, View
from leader.view.moment import Moment
from wire.messages import Availability, Role

DRAINED = Availability.DRAIN
QUIET = Tokens(worker_rotated=NOW)
JOINING = {"spotswarm.instance": "i-1", "spotswarm.phase": "joining"}


def known(*instances):
    return {
        "instances": {found.id: found for found in instances},
        "instances_at": NOW,
        "tokens": QUIET,
    }


def answers(seen, policy=POLICY, at=NOW):
    return due(Moment(seen, policy, at))


def test_nothing_is_done_before_nodes_were_listed():
    assert answers(View(tokens=Tokens(is_manager_used=True))) == ()


def test_a_new_node_is_bound_to_the_instance_ec2_gave_its_address():
    (action,) = answers(view(node("n-1", availability=DRAINED), **known(instance("i-1"))))

    assert isinstance(action, LabelNode)
    assert action.node == "n-1"
    assert action.labels == {
        "spotswarm.instance": "i-1",
        "spotswarm.lifecycle": "spot",
        "spotswarm.zone": "eu-central-1a",
        "spotswarm.type": "t3.small",
        "spotswarm.phase": "joining",
    }
    assert "10.0.0.1" in action.reason


def test_the_key_an_instance_joined_with_is_bound_too():
    granted = Outstanding(instance("i-1"), Role.WORKER, "its key", NOW + SECOND)
    seen = view(node("n-1"), outstanding={"i-1": granted}, **known(instance("i-1")))

    (action,) = answers(seen)

    assert action.labels["spotswarm.key"] == "its key"


def test_a_node_that_takes_tasks_already_is_not_joining():
    (action,) = answers(view(manager_node("n-1"), **known(manager_instance("i-1"))))

    assert "spotswarm.phase" not in action.labels


def test_what_a_node_says_of_itself_binds_nothing():
    liar = node("n-9", hostname="i-1", labels={"zone": "i-1"})

    assert not [
        action
        for action in answers(view(liar, **known(instance("i-1"))))
        if isinstance(action, LabelNode)
    ]


def test_a_bound_node_is_probed_then_activated():
    joining = node("n-1", availability=DRAINED, labels=JOINING)
    seen = view(joining, **known(instance("i-1")))

    (probe,) = answers(seen)
    (activate,) = answers(replace(seen, probed=frozenset({NodeId("n-1")})))

    assert isinstance(probe, ProbeNode)
    assert probe.address == "10.0.0.1"
    assert isinstance(activate, ActivateNode)


def test_an_operators_drain_is_left_alone():
    drained = node("n-1", availability=DRAINED, labels={"spotswarm.instance": "i-1"})

    assert answers(view(drained, **known(instance("i-1")))) == ()


def test_a_node_that_is_not_ready_waits():
    joining = node("n-1", status="down", availability=DRAINED, labels=JOINING)

    assert answers(view(joining, **known(instance("i-1")))) == ()


def test_the_down_entry_of_a_worker_that_joined_anew_is_removed():
    old = node("n-1", status="down", labels={"spotswarm.instance": "i-1"})
    new = node("n-2", address="10.0.0.1", labels={"spotswarm.instance": "i-1"})

    (action,) = answers(view(old, new, **known(instance("i-1"))))

    assert isinstance(action, RemoveNode)
    assert action.node == "n-1"


def test_a_lost_worker_and_a_lost_manager_are_not_removed():
    lost = node("n-1", status="down", labels={"spotswarm.instance": "i-1"})
    old = manager_node("n-2", status="down", labels={"spotswarm.instance": "i-2"})
    new = manager_node("n-3", address="10.0.0.2", labels={"spotswarm.instance": "i-2"})

    assert answers(view(lost, old, new, **known(instance("i-1"), manager_instance("i-2")))) == ()


def test_an_unknown_address_makes_ec2_be_asked_but_not_in_a_storm():
    seen = view(node("n-9"), **known())

    assert answers(seen, at=NOW + SECOND) == ()
    (action,) = answers(seen, at=NOW + 5 * SECOND)
    assert isinstance(action, ListInstances)
    assert "ip-10-0-0-9" in action.reason


def test_outside_aws_ec2_is_never_asked():
    outside = replace(POLICY, identity="password")

    assert answers(view(node("n-9"), tokens=QUIET), outside, NOW + 600 * SECOND) == ()


def test_the_manager_token_is_rotated_once_its_manager_has_arrived():
    used = Tokens(is_manager_used=True, worker_rotated=NOW)
    waiting = Outstanding(manager_instance("i-1"), Role.MANAGER, "key", NOW + SECOND)
    seen = view(**(known() | {"tokens": used}))

    assert answers(replace(seen, outstanding={"i-1": waiting})) == ()
    (action,) = answers(seen)
    assert isinstance(action, RotateToken)
    assert action.role is Role.MANAGER


def test_the_worker_token_is_rotated_after_a_batch_when_nobody_is_on_the_way():
    used = Tokens(worker_grants=50, worker_rotated=NOW)
    waiting = Outstanding(instance("i-1"), Role.WORKER, "key", NOW + SECOND)
    seen = view(**(known() | {"tokens": used}))

    assert answers(replace(seen, outstanding={"i-1": waiting})) == ()
    (action,) = answers(seen)
    assert action.role is Role.WORKER


def test_the_worker_token_is_rotated_by_age_if_it_was_used():
    at = NOW + POLICY.worker_token_age
    used = Tokens(worker_grants=1, worker_rotated=NOW)
    seen = view(**(known() | {"instances_at": at}))

    assert answers(replace(seen, tokens=QUIET), at=at) == ()
    (action,) = answers(replace(seen, tokens=used), at=at)
    assert isinstance(action, RotateToken)


def test_a_failed_action_waits_its_time():
    setback = {"node n-1": Setback(1, NOW + SECOND)}
    seen = view(node("n-1"), setbacks=setback, **known(instance("i-1")))

    assert answers(seen) == ()
    assert len(answers(seen, at=NOW + SECOND)) == 1


instances = st.builds(
    lambda number, **said: instance(f"i-{number}", **said),
    st.integers(1, 8),
    lifecycle=st.sampled_from(["spot", "on-demand"]),
)
nodes = st.builds(
    lambda number, bound, joining, **said: node(
        f"n-{number}",
        labels=({"spotswarm.instance": f"i-{bound}"} if bound else {})
        | ({"spotswarm.phase": "joining"} if joining else {}),
        **said,
    ),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(1, 8)),
    st.booleans(),
    role=st.sampled_from(Role),
    status=st.sampled_from(["ready", "down", "unknown"]),
    availability=st.sampled_from(Availability),
)
views = st.builds(
    lambda listed, found, probed, tokens, aged: view(
        *listed,
        instances={one.id: one for one in found},
        instances_at=None if aged is None else NOW - aged * SECOND,
        probed=frozenset(NodeId(f"n-{number}") for number in probed),
        tokens=tokens,
    ),
    st.lists(nodes, max_size=8),
    st.lists(instances, max_size=8),
    st.sets(st.integers(1, 8)),
    st.builds(
        Tokens,
        worker_grants=st.integers(0, 60),
        worker_rotated=st.sampled_from([None, NOW]),
        is_manager_used=st.booleans(),
    ),
    st.one_of(st.none(), st.integers(0, 120)),
)


@given(views)
def test_deciding_twice_on_the_same_view_gives_nothing_new(seen):
    after, _ = decide(seen, Ticked("tick-1", NOW), POLICY)
    again, actions = decide(after, Ticked("tick-2", NOW), POLICY)

    assert actions == ()
    assert again == after


@given(views)
def test_no_two_actions_share_a_subject(seen):
    subjects = [action.subject for action in answers(seen)]

    assert len(subjects) == len(set(subjects))


@given(views)
def test_only_a_down_worker_whose_instance_is_back_is_ever_removed(seen):
    for action in answers(seen):
        if isinstance(action, RemoveNode):
            removed = seen.nodes[action.node]
            assert removed.status == "down"
            assert removed.role is Role.WORKER
            assert any(
                other.is_ready for other in seen.bound(action.instance) if other.id != removed.id
            )


@given(views)
def test_a_node_is_only_ever_activated_after_it_was_bound_and_probed(seen):
    for action in answers(seen):
        if isinstance(action, ActivateNode):
            assert action.node in seen.probed
            assert seen.nodes[action.node].is_joining
            assert seen.nodes[action.node].instance is not None


# An instance that joined again

OLD = node(
    "n-1",
    status="down",
    labels={
        "spotswarm.instance": "i-1",
        "spotswarm.key": "old",
        "spotswarm.phase": "leaving",
        "spotswarm.data": "true",
        "disk": "ssd",
        "zone": "a",
    },
)


def test_a_node_that_joined_again_gets_the_operators_labels_and_no_other():
    new = node("n-2", address="10.0.0.1", availability=DRAINED, labels={"zone": "b"})

    (action,) = answers(view(OLD, new, **known(instance("i-1"))))

    assert isinstance(action, LabelNode)
    assert action.node == "n-2"
    assert action.labels["disk"] == "ssd"
    assert action.labels["spotswarm.data"] == "true"
    assert "spotswarm.key" not in action.labels
    assert "zone" not in action.labels
    assert action.labels["spotswarm.phase"] == "joining"


def test_of_several_old_nodes_the_youngest_has_the_last_word():
    older = replace(
        OLD, id=NodeId("n-0"), created=NOW - SECOND, labels=OLD.labels | {"disk": "hdd"}
    )
    new = node("n-2", address="10.0.0.1")

    (action,) = answers(view(OLD, older, new, **known(instance("i-1"))))

    assert action.labels["disk"] == "ssd"


def test_an_old_node_is_not_removed_before_its_labels_are_copied():
    new = node("n-2", labels={"spotswarm.instance": "i-1", "zone": "b"})
    (copy,) = answers(view(OLD, new, **known(instance("i-1"))))

    assert isinstance(copy, LabelNode)
    assert (copy.node, copy.labels) == ("n-2", {"disk": "ssd", "spotswarm.data": "true"})
    assert "disk" in copy.reason
    labelled = replace(new, labels=new.labels | copy.labels)
    (removal,) = answers(view(OLD, labelled, **known(instance("i-1"))))
    assert isinstance(removal, RemoveNode)
    assert removal.node == "n-1"
