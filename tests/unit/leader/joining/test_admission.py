from dataclasses import replace

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
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from leader.joining.admission import admit
from leader.view.model import Outstanding, View
from wire.messages import Availability, DenialCode, Role

LEADER = manager_node("n-9", is_leader=True)
THREE = [manager_node(f"n-{number}") for number in (7, 8, 9)]


def code(asked, seen=None, policy=POLICY, at=NOW):
    denied = admit(asked, view(LEADER) if seen is None else seen, policy, at)
    return None if denied is None else denied.code


def test_a_running_spot_instance_of_ours_gets_a_workers_token():
    assert code(ask(instance())) is None


def test_a_pending_instance_may_join_before_ec2_calls_it_running():
    assert code(ask(instance(state="pending"))) is None


def test_an_on_demand_instance_tagged_for_it_gets_a_managers_token():
    assert code(ask(manager_instance(), role=Role.MANAGER)) is None


def test_a_manager_may_ask_for_less():
    assert code(ask(manager_instance(), role=Role.WORKER)) is None


@pytest.mark.parametrize("state", ["shutting-down", "terminated", "stopping", "stopped"])
def test_an_instance_that_is_going_is_denied(state):
    assert code(ask(instance(state=state))) is DenialCode.NOT_RUNNING


@pytest.mark.parametrize("cluster", [None, "", "other"])
def test_an_instance_without_our_tag_is_denied(cluster):
    assert code(ask(instance(cluster=cluster))) is DenialCode.NOT_IN_CLUSTER


def test_a_spot_instance_is_never_a_manager_whatever_its_tag():
    asked = ask(instance(role="manager"), role=Role.MANAGER)

    assert code(asked) is DenialCode.SPOT_MANAGER


@pytest.mark.parametrize("tag", [None, "worker", "Manager"])
def test_an_on_demand_instance_without_the_tag_is_no_manager(tag):
    asked = ask(manager_instance(role=tag), role=Role.MANAGER)

    assert code(asked) is DenialCode.NOT_A_MANAGER


def test_when_all_managers_are_there_another_is_denied():
    asked = ask(manager_instance(), role=Role.MANAGER)

    assert code(asked, view(*THREE)) is DenialCode.MANAGERS_COMPLETE


def test_a_lost_manager_counts_until_it_is_removed():
    lost = replace(THREE[0], status="down", reachability="unreachable")
    asked = ask(manager_instance(), role=Role.MANAGER)

    assert code(asked, view(lost, *THREE[1:])) is DenialCode.MANAGERS_COMPLETE


def test_managers_join_one_at_a_time():
    first, second = manager_instance("i-1"), manager_instance("i-2")
    granted = Outstanding(first, Role.MANAGER, "key", NOW + 60 * SECOND)
    seen = view(LEADER, outstanding={first.id: granted})

    assert code(ask(second, role=Role.MANAGER), seen) is DenialCode.MANAGER_CHANGE
    assert code(ask(first, role=Role.MANAGER), seen) is None, "the same one may ask again"
    assert code(ask(second, role=Role.MANAGER), seen, at=NOW + 20 * SECOND) is not None
    assert code(ask(second), seen) is None, "workers need not wait"


def test_no_manager_joins_while_another_is_not_reachable():
    shaky = replace(THREE[0], reachability="unreachable")
    asked = ask(manager_instance(), role=Role.MANAGER)

    assert code(asked, view(shaky)) is DenialCode.MANAGER_CHANGE


def test_a_ready_node_asks_for_nothing():
    bound = node("n-5", labels={"spotswarm.instance": "i-1"})

    assert code(ask(instance("i-1")), view(bound)) is DenialCode.ALREADY_JOINED


def test_a_ready_node_not_yet_labelled_is_known_by_its_address():
    assert code(ask(instance("i-5")), view(node("n-5"))) is DenialCode.ALREADY_JOINED


def test_an_instance_whose_node_is_down_may_join_anew():
    down = node("n-1", status="down", labels={"spotswarm.instance": "i-1"})

    assert code(ask(instance("i-1")), view(LEADER, down)) is None


@pytest.mark.parametrize("status", ["unknown", "down", "disconnected"])
def test_while_no_manager_is_ready_as_after_an_election_everybody_waits(status):
    managers = [replace(manager, status=status) for manager in THREE]

    assert code(ask(), view(*managers)) is DenialCode.NOT_READY
    assert code(ask(), view(*managers[:2], THREE[2])) is None


def test_no_manager_joins_while_a_node_that_may_be_one_cannot_be_read():
    seen = view(LEADER, nodes_unread=1)

    assert code(ask(manager_instance(), role=Role.MANAGER), seen) is DenialCode.NOT_READY
    assert code(ask(), seen) is None


@pytest.mark.parametrize("status", ["ready", "unknown", "disconnected", "a state of tomorrow"])
@pytest.mark.parametrize("labels", [{"spotswarm.instance": "i-1"}, {}])
def test_a_node_is_present_in_every_state_except_down(status, labels):
    present = node("n-1", status=status, labels=labels)

    denied = admit(ask(instance("i-1")), view(present), POLICY, NOW)

    assert denied is not None
    assert (denied.code, denied.retry_after_seconds) == (DenialCode.ALREADY_JOINED, 3)


@pytest.mark.parametrize("status", ["ready", "unknown", "disconnected"])
def test_a_present_manager_gets_no_second_managers_token(status):
    present = manager_node("n-1", status=status, labels={"spotswarm.instance": "i-1"})

    asked = ask(manager_instance("i-1"), role=Role.MANAGER)

    assert code(asked, view(present)) is DenialCode.ALREADY_JOINED


def test_without_a_fresh_list_of_nodes_nobody_is_admitted():
    assert code(ask(), View()) is DenialCode.NOT_READY
    assert code(ask(), view(), at=NOW + 31 * SECOND) is DenialCode.NOT_READY


def test_a_password_admits_workers_and_never_a_manager():
    policy = replace(POLICY, identity="password")

    assert code(ask(mode="password"), policy=policy) is None
    assert (
        code(ask(manager_instance(), Role.MANAGER, mode="password"), policy=policy)
        is DenialCode.NOT_A_MANAGER
    )


def test_a_password_is_no_identity_unless_the_cluster_says_so():
    assert code(ask(mode="password")) is DenialCode.IDENTITY_MODE
    assert code(ask(), policy=replace(POLICY, identity="password")) is DenialCode.IDENTITY_MODE


names = st.sampled_from([f"i-{number}" for number in range(1, 6)])
# What is admitted is drawn more often: so many conditions are rarely met all at once by chance.
modes = st.sampled_from(["aws", "aws", "aws", "password"])
roles = st.sampled_from([Role.MANAGER, Role.MANAGER, Role.WORKER])
instances = st.builds(
    instance,
    names,
    state=st.sampled_from(["running", "running", "pending", "stopping", "terminated"]),
    lifecycle=st.sampled_from(["on-demand", "on-demand", "spot"]),
    cluster=st.sampled_from([*["demo"] * 6, None, "other"]),
    role=st.sampled_from(["manager", "manager", "manager", "worker", None]),
    address=st.sampled_from([f"10.0.0.{number}" for number in range(1, 6)]),
)
nodes = st.builds(
    lambda number, bound, **said: node(
        f"n-{number}", labels={"spotswarm.instance": bound} if bound else {}, **said
    ),
    st.integers(1, 6),
    st.one_of(st.none(), names),
    role=st.sampled_from(Role),
    status=st.sampled_from(["ready", "down", "down", "unknown", "disconnected"]),
    availability=st.sampled_from(Availability),
    reachability=st.sampled_from(["reachable", "reachable", None, "unreachable"]),
)
grants = st.builds(
    lambda who, role, seconds: Outstanding(who, role, "key", NOW + seconds * SECOND),
    instances,
    st.sampled_from(Role),
    st.integers(-60, 60),
)
views = st.builds(
    lambda listed, leaders, granted, age: view(
        *listed,
        *leaders,
        nodes_at=None if age is None else NOW - age * SECOND,
        outstanding={grant.instance.id: grant for grant in granted},
    ),
    st.lists(nodes, max_size=4),
    st.sampled_from([(LEADER,), (LEADER,), ()]),
    st.lists(grants, max_size=2),
    st.sampled_from([0, 0, 0, 1, 30, 31, None]),
)
policies = st.builds(
    lambda wanted, mode: replace(POLICY, managers=wanted, identity=mode),
    st.integers(1, 5),
    modes,
)
asks = st.builds(ask, instances, roles, modes)


@given(asks, views, policies)
def test_no_view_and_no_request_ever_gives_an_unworthy_one_a_managers_token(asked, seen, policy):
    assume(asked.role is Role.MANAGER)

    if admit(asked, seen, policy, NOW) is None:
        proven = asked.identity.instance
        assert asked.identity.mode == "aws"
        assert proven.lifecycle == "on-demand"
        assert proven.role == "manager"
        assert proven.cluster == policy.cluster
        assert proven.state in {"pending", "running"}
        assert len(seen.managers()) < policy.managers


@given(asks, views, policies)
def test_whoever_is_admitted_is_ours_running_and_not_in_the_swarm(asked, seen, policy):
    if admit(asked, seen, policy, NOW) is None:
        proven = asked.identity.instance
        assert asked.identity.mode == policy.identity
        assert proven.cluster == policy.cluster
        assert seen.nodes_at is not None
        for known in seen.nodes.values():
            ours = known.instance == proven.id or known.address == proven.address
            assert not (ours and known.status != "down")


@given(asks, views, policies)
def test_every_denial_has_a_sentence(asked, seen, policy):
    denied = admit(asked, seen, policy, NOW)

    if denied is not None:
        assert len(denied.reason) > 10
        assert denied.retry_after_seconds > 0


def test_the_properties_above_do_meet_admitted_managers():
    """A property over views that never admit anybody would prove nothing."""

    def admitted_manager(drawn):
        asked, seen, policy = drawn
        return asked.role is Role.MANAGER and admit(asked, seen, policy, NOW) is None

    find(
        st.tuples(asks, views, policies),
        admitted_manager,
        settings=settings(max_examples=5000, phases=[Phase.generate]),
    )
