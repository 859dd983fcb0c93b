from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, POLICY, SECOND, instance, manager_instance, manager_node
from census_watch import MINUTE, REMOVALS, Watch
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import worker

from leader.upkeep.reconcile import reconcile
from leader.view.actions import ListInstances, Refuse, RemoveNode, TerminateInstance
from leader.view.events import Failed, Ticked
from leader.view.model import Outstanding
from leader.view.moment import Moment
from wire.messages import Availability, Role

# Nodes whose instances are gone


def test_a_dead_node_is_removed_after_several_looks_and_a_minimum_age():
    watch = Watch().look().dies(1)

    watch.look(3)
    assert watch.of(RemoveNode) == []
    watch.look()
    (removal,) = watch.of(RemoveNode)
    assert removal.node == "n-1"
    assert "did not list i-1 as running 3 times in a row" in removal.reason


def test_looks_in_quick_succession_are_not_enough():
    watch = Watch().look().dies(1).look(20, every=SECOND)

    assert watch.of(RemoveNode) == []


def test_an_old_absence_with_too_few_looks_is_not_enough():
    watch = Watch().look().dies(1).look(2, every=45 * SECOND)

    assert watch.of(RemoveNode) == []


def test_an_instance_that_is_seen_again_counts_from_the_beginning():
    watch = Watch().look().dies(1).look(2)
    watch.instances[1] = instance("i-1")
    watch.look()
    watch.dies(1).look(3)

    assert watch.of(RemoveNode) == []


def test_a_new_leader_is_twice_as_patient_with_whom_it_never_heard():
    watch = Watch().dies(1)

    watch.look(6)
    assert watch.of(RemoveNode) == []
    watch.look()
    assert len(watch.of(RemoveNode)) == 1


def test_a_stopped_instance_is_as_gone_as_one_that_is_not_listed():
    watch = Watch().look().goes_down(1)
    watch.instances[1] = instance("i-1", state="stopped")

    assert len(watch.look(5).of(RemoveNode)) == 1


def test_a_node_that_is_heard_is_never_removed_whatever_ec2_says():
    watch = Watch().look()
    watch.instances.clear()

    assert [type(one) for one in watch.look(30).decided if isinstance(one, REMOVALS)] == []


def test_a_manager_is_never_removed():
    watch = Watch().look()
    watch.nodes[9] = manager_node("n-9", status="down", labels={"spotswarm.instance": "i-9"})

    assert watch.look(120).of(RemoveNode) == []
    assert watch.of(TerminateInstance) == []


def test_a_node_that_was_bound_to_nothing_is_never_removed():
    watch = Watch().look()
    watch.nodes[9] = replace(worker(9), status="down", labels={})

    assert watch.look(30).of(RemoveNode) == []


def test_ec2_is_asked_often_while_an_instance_is_missing():
    watch = Watch().look().dies(1).look()
    watch.at += 5 * SECOND

    watch.hear(Ticked("tick", watch.at))

    assert "did not list i-1 as running" in watch.of(ListInstances)[-1].reason


def test_outside_aws_nothing_is_removed():
    watch = Watch(policy=replace(POLICY, identity="password")).look().dies(1)

    assert watch.look(60).of(RemoveNode) == []


# Neither list is stale or missing


@pytest.mark.parametrize("kept", ["nodes", "instances"])
def test_without_one_of_the_lists_nothing_is_removed(kept):
    watch = Watch().look().dies(1, 2, 3).look(2)
    watch.at += 3 * MINUTE

    watch.look(60, nodes=kept == "nodes", instances=kept == "instances")

    assert not [one for one in watch.decided if isinstance(one, REMOVALS)]


@at_most(80)
@given(
    st.dictionaries(st.integers(1, 9), st.booleans(), min_size=1),
    st.one_of(st.none(), st.integers(0, 400)),
    st.one_of(st.none(), st.integers(0, 400)),
    st.booleans(),
)
def test_a_removal_needs_both_lists_fresh_and_is_of_a_worker_that_is_down(
    states, nodes_age, instances_age, is_long_ago
):
    watch = Watch(tuple(states)).look()
    watch.does = False
    watch.dies(*(number for number, is_dead in states.items() if is_dead))
    watch.look(8)
    known = replace(watch.view, in_flight=frozenset(), setbacks={})
    at = watch.at + (20 * MINUTE if is_long_ago else timedelta())
    known = replace(
        known,
        nodes_at=None if nodes_age is None else at - nodes_age * SECOND,
        instances_at=None if instances_age is None else at - instances_age * SECOND,
    )

    actions = list(reconcile(Moment(known, POLICY, at)))

    is_fresh = nodes_age is not None and nodes_age <= 30
    is_fresh = is_fresh and instances_age is not None and instances_age <= 120
    dead = [number for number, is_dead in states.items() if is_dead]
    if not is_fresh or not dead:
        assert actions == []
    elif len(dead) > POLICY.removals_at_once:
        assert [type(one) for one in actions] == [Refuse]
    else:
        assert sorted(one.node for one in actions) == sorted(f"n-{one}" for one in dead)


# At most so many at once


def test_too_many_at_once_are_all_refused_once_and_loudly():
    watch = Watch(range(1, 8)).look().dies(1, 2, 3, 4).look(10)

    assert watch.of(RemoveNode) == []
    (refusal,) = watch.of(Refuse)
    assert "4 nodes seem to be gone at once" in refusal.reason
    assert "docker node rm" in refusal.reason

    watch.look(60)
    assert len(watch.of(Refuse)) == 2


def test_as_many_as_allowed_go_and_later_ones_wait_for_the_next_round():
    watch = Watch(range(1, 9)).look().dies(1, 2, 3).look(4)
    assert len(watch.of(RemoveNode)) == 3

    watch.dies(4, 5).look(4)
    assert len(watch.of(RemoveNode)) == 3
    watch.look(4)
    assert len(watch.of(RemoveNode)) == 5
    assert watch.of(Refuse) == []


def test_a_removal_under_way_is_not_counted_twice():
    watch = Watch(range(1, 6)).look()
    watch.does = False
    watch.dies(1, 2, 3).look(5)
    assert len(watch.of(RemoveNode)) == 3

    watch.look(3)
    assert len(watch.of(RemoveNode)) == 3
    assert watch.of(Refuse) == []


def test_a_removal_that_fails_is_tried_again():
    watch = Watch().look()
    watch.does = False
    watch.dies(1).look(4)
    (removal,) = watch.of(RemoveNode)

    watch.hear(Failed("failed", watch.at, removal, "the engine is away"))
    watch.at += SECOND
    watch.look()

    assert len(watch.of(RemoveNode)) == 2


# Down, and EC2 says that it runs


def test_a_node_that_is_down_for_long_while_its_instance_runs_is_given_up_once():
    watch = Watch().look().goes_down(1)

    watch.look(60)
    assert watch.of(TerminateInstance) == []
    watch.look()
    (ended,) = watch.of(TerminateInstance)
    assert ended.keeps_console
    assert "10 min" in ended.reason
    watch.hear(Ticked("tick", watch.at))
    watch.hear(Ticked("tick", watch.at + SECOND))
    assert len(watch.of(TerminateInstance)) == 1


def test_a_node_the_operator_drained_is_not_given_up_but_removed_when_its_instance_is_gone():
    watch = Watch()
    watch.nodes[1] = worker(
        1, labels={"spotswarm.phase": "drained"}, availability=Availability.DRAIN
    )
    watch.look().goes_down(1).look(200)
    assert watch.of(TerminateInstance) == []

    del watch.instances[1]
    watch.look(10)
    assert len(watch.of(RemoveNode)) == 1


def test_a_new_leader_gives_up_a_node_it_never_heard_after_twice_the_time():
    watch = Watch().goes_down(1).look(120)
    assert watch.of(TerminateInstance) == []

    assert len(watch.look().of(TerminateInstance)) == 1


def test_a_node_that_came_back_begins_anew():
    watch = Watch().look().goes_down(1).look(50)
    watch.nodes[1] = worker(1)
    watch.look()
    watch.goes_down(1).look(50)

    assert watch.of(TerminateInstance) == []


def test_the_node_of_an_instance_that_was_given_up_is_removed_in_the_end():
    watch = Watch().look().goes_down(1).look(61)

    assert len(watch.look(10).of(RemoveNode)) == 1
    assert len(watch.of(TerminateInstance)) == 1


# Instances that are no nodes


def test_an_instance_that_runs_and_never_joined_is_given_up_with_its_console_kept():
    watch = Watch().look()
    watch.instances[7] = instance("i-7")

    watch.look(90)
    assert watch.of(TerminateInstance) == []
    watch.look()
    (ended,) = watch.of(TerminateInstance)
    assert ended.instance == "i-7"
    assert ended.keeps_console
    assert "without being a node of the swarm" in ended.reason


@pytest.mark.parametrize(
    "found",
    [
        manager_instance("i-7"),
        instance("i-7", role=None),
        instance("i-7", state="stopped"),
        instance("i-7", launched=NOW + 10 * MINUTE),
    ],
)
def test_an_instance_that_is_no_worker_or_does_not_run_or_is_young_is_left_alone(found):
    watch = Watch().look()
    watch.instances[7] = found

    assert watch.look(100).of(TerminateInstance) == []


def test_an_instance_that_was_just_granted_a_token_is_left_alone():
    watch = Watch().look()
    watch.instances[7] = instance("i-7")
    granted = Outstanding(watch.instances[7], Role.WORKER, "key", NOW + 60 * MINUTE)
    watch.view = replace(watch.view, outstanding={"i-7": granted})

    assert watch.look(100).of(TerminateInstance) == []


def test_an_instance_whose_node_is_down_is_no_orphan():
    policy = replace(POLICY, down_for=60 * MINUTE)
    watch = Watch(policy=policy).look().goes_down(1)

    assert watch.look(100).of(TerminateInstance) == []


def test_an_instance_that_joined_in_the_end_is_no_orphan():
    watch = Watch().look()
    watch.instances[7] = instance("i-7")
    watch.look(80)
    watch.nodes[7] = worker(7)

    assert watch.look(50).of(TerminateInstance) == []


def test_a_given_up_orphan_counts_as_a_removal():
    watch = Watch().look()
    for number in (7, 8, 9):
        watch.instances[number] = instance(f"i-{number}")
    watch.look(91)

    assert len(watch.of(TerminateInstance)) == 3
    assert len(watch.view.census.removed) == 3
