"""What EC2 itself calls terminated is removed; only what is in doubt is refused."""

from dataclasses import replace

import pytest
from builders import POLICY, SECOND, instance
from census_watch import MINUTE, REMOVALS, Watch
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import worker

from leader.decide import refusals
from leader.upkeep.reconcile import reconcile
from leader.view.actions import ListInstances, Refuse, RemoveNode, TerminateInstance
from leader.view.events import Done, Failed, Ticked
from leader.view.moment import Moment
from wire.messages import Availability

K = POLICY.removals_at_once


class DatedWatch(Watch):
    """A watch that notes when each removal was decided."""

    def __init__(self, *args, **said):
        self.removed_at = []
        super().__init__(*args, **said)

    def hear(self, event):
        before = len(self.decided)
        super().hear(event)
        if isinstance(event, Done):  # it was heard while the removal was being noted
            return
        self.removed_at += [self.at for one in self.decided[before:] if isinstance(one, REMOVALS)]


def standing(watch):
    return refusals(Moment(watch.view, watch.policy, watch.at))


def test_nine_workers_that_ec2_terminated_at_once_are_removed_three_a_round():
    watch = Watch(range(1, 13)).look().ends(*range(1, 10))

    watch.look(4)
    assert len(watch.of(RemoveNode)) == 3
    watch.look(6)
    assert len(watch.of(RemoveNode)) == 6
    watch.look(6)
    assert {one.node for one in watch.of(RemoveNode)} == {f"n-{n}" for n in range(1, 10)}
    assert watch.of(Refuse) == []
    assert "EC2 says that i-1 is terminated" in watch.of(RemoveNode)[0].reason


def test_shutting_down_is_as_certain_as_terminated():
    watch = Watch(range(1, 8)).look().ends(*range(1, 6))
    for number in range(1, 6):
        watch.instances[number] = replace(watch.instances[number], state="shutting-down")

    watch.look(15)

    assert len(watch.of(RemoveNode)) == 5
    assert watch.of(Refuse) == []


def test_what_ec2_stops_listing_after_it_called_it_terminated_stays_certain():
    watch = Watch(range(1, 8)).look().ends(*range(1, 6)).look()
    for number in range(1, 6):
        del watch.instances[number]

    watch.look(20)

    assert len(watch.of(RemoveNode)) == 5
    assert watch.of(Refuse) == []


def test_the_leader_asks_ec2_by_id_for_what_it_does_not_list_by_tag():
    """A terminated instance loses its tags before EC2 stops listing it."""
    watch = Watch(policy=replace(POLICY, absent_for=10 * MINUTE)).look().dies(1).look(2)
    watch.at += 6 * SECOND
    watch.look()

    assert watch.of(ListInstances)[-1].missing == ("i-1",)
    watch.instances[1] = instance("i-1", state="terminated", cluster=None)
    watch.look()
    assert watch.view.census.ended == {"i-1"}


def test_doubt_about_nodes_stops_neither_the_certain_nor_orphans_nor_silent_ones():
    """The batch of B1: everything was refused, and orphans ran on at a cost."""
    policy = replace(POLICY, orphan_after=2 * MINUTE, down_for=2 * MINUTE)
    watch = Watch(range(1, 14), policy=policy).look()
    watch.ends(1, 2).dies(3, 4, 5, 6).goes_down(7)
    watch.instances[20] = instance("i-20")

    watch.look(40)

    assert {one.node for one in watch.of(RemoveNode)} == {"n-1", "n-2", "n-7"}
    assert {one.instance for one in watch.of(TerminateInstance)} == {"i-7", "i-20"}
    (refusal,) = standing(watch)
    assert "4 nodes seem to be gone at once" in refusal.reason
    assert set(refusal.nodes) == {"n-3", "n-4", "n-5", "n-6"}
    assert set(refusal.instances) == {"i-3", "i-4", "i-5", "i-6"}


@pytest.mark.parametrize("count", [K, K + 1])
def test_orphans_and_silent_ones_are_counted_apart(count):
    policy = replace(POLICY, orphan_after=2 * MINUTE, down_for=2 * MINUTE)
    watch = Watch(range(1, 9), policy=policy).look().goes_down(*range(1, count + 1))
    for number in range(20, 20 + count):
        watch.instances[number] = instance(f"i-{number}")

    watch.look(60)

    ended = {one.instance for one in watch.of(TerminateInstance)}
    assert len(ended) == (2 * K if count == K else 0)
    abouts = {one.about for one in standing(watch)}
    assert abouts == (set() if count == K else {"removals (silent)", "removals (orphans)"})


def test_a_refusal_stands_for_as_long_as_its_cause():
    watch = Watch(range(1, 8)).look().dies(1, 2, 3, 4).look(10)
    assert [one.about for one in standing(watch)] == ["removals (missing)"]

    del watch.nodes[1]
    watch.look(10)
    assert standing(watch) == ()
    assert len(watch.of(RemoveNode)) == 3


def test_no_orphan_is_terminated_while_a_present_node_is_unbound():
    watch = Watch().look()
    watch.instances[7] = instance("i-7")
    watch.nodes[8] = replace(worker(8), labels={}, address="10.9.9.9")

    watch.look(200)
    assert watch.of(TerminateInstance) == []
    (refusal,) = standing(watch)
    assert "ip-10-0-0-8 is in the swarm without a known instance" in refusal.reason
    assert refusal.instances == ("i-7",)

    watch.nodes[8] = replace(watch.nodes[8], status="down")
    watch.look()
    assert [one.instance for one in watch.of(TerminateInstance)] == ["i-7"]


def test_an_orphan_is_looked_at_several_times_and_soon_once_it_is_due():
    """Gone needs a number of looks as well as an age; lists come once a minute otherwise."""
    policy = replace(POLICY, orphan_after=10 * SECOND)
    watch = Watch(policy=policy).look()
    watch.instances[7] = instance("i-7")
    watch.look(2, every=15 * SECOND)
    assert watch.of(TerminateInstance) == []

    watch.hear(Ticked("tick", watch.at))
    assert "has not been seen often enough" in watch.of(ListInstances)[-1].reason
    watch.look()
    assert [one.instance for one in watch.of(TerminateInstance)] == ["i-7"]


def test_a_removal_that_always_fails_does_not_use_up_every_round():
    watch = Watch(range(1, 9)).look()
    watch.does = False
    watch.ends(*range(1, 7)).look(4)
    stubborn = watch.of(RemoveNode)
    assert len(stubborn) == 3

    for removal in stubborn:
        watch.hear(Failed("failed", watch.at, removal, "the engine says no"))

    assert {one.node for one in watch.of(RemoveNode)} == {f"n-{n}" for n in range(1, 7)}


@st.composite
def fates(draw):
    """What becomes of up to nine workers, and when; and how many instances are orphans."""
    kinds = st.sampled_from(["terminated", "missing", "silent", "fine", "unbound"])
    return draw(st.lists(st.tuples(kinds, st.integers(0, 12)), min_size=1, max_size=9))


@at_most(6)
@given(fates(), st.integers(0, 5))
@example([("terminated", 0)] * 9, 5)
@example([("terminated", 0)] * 5 + [("missing", 1)] * 4, 4)
@example([("unbound", 0), ("terminated", 3), ("silent", 0)], 4)
def test_what_ec2_calls_terminated_is_removed_in_the_end_whatever_else_is_in_doubt(fates, orphans):
    policy = replace(POLICY, orphan_after=2 * MINUTE, down_for=2 * MINUTE)
    watch = DatedWatch(range(1, len(fates) + 1), policy=policy)
    watch.look()
    for number in range(50, 50 + orphans):
        watch.instances[number] = instance(f"i-{number}")
    for turn in range(60):
        for number, (fate, when) in enumerate(fates, start=1):
            if turn != when:
                continue
            match fate:
                case "terminated":
                    watch.ends(number)
                case "missing":
                    watch.dies(number)
                case "silent":
                    watch.goes_down(number)
                case "unbound":
                    watch.nodes[number] = replace(watch.nodes[number], labels={}, address="x")
        watch.look()

    removed = {one.node for one in watch.of(RemoveNode)}
    by_fate = {f"n-{number}": fate for number, (fate, _) in enumerate(fates, start=1)}
    assert {name for name, fate in by_fate.items() if fate == "terminated"} <= removed
    assert not {name for name in removed if by_fate[name] in {"fine", "unbound"}}
    for at in watch.removed_at:
        recent = [when for when in watch.removed_at if at - policy.removal_round < when <= at]
        assert len(recent) <= K
    missing = {name for name, fate in by_fate.items() if fate == "missing"}
    is_refused = "removals (missing)" in {one.about for one in standing(watch)}
    assert is_refused == bool(missing - removed)
    assert len(watch.of(RemoveNode)) == len(removed)


def test_a_drained_node_whose_engine_was_stopped_is_removed_when_ec2_ends_its_instance():
    watch = Watch()
    labels = {"spotswarm.phase": "drained"}
    watch.nodes[1] = worker(1, labels=labels, availability=Availability.DRAIN)
    watch.look().ends(1).look(6)

    assert [one.node for one in watch.of(RemoveNode)] == ["n-1"]


# Only the cluster's own instances are terminated


def test_an_instance_whose_tag_an_operator_took_off_is_not_terminated_when_its_node_is_down():
    """A missing instance is listed by its id, so EC2 lists it as running without the tag."""
    watch = Watch().look().goes_down(1)
    watch.instances[1] = replace(watch.instances[1], cluster=None)

    watch.look(60, every=MINUTE)

    assert watch.of(TerminateInstance) == []
    assert watch.of(RemoveNode) == []


def test_an_instance_without_the_tag_is_not_terminated_when_its_node_was_removed_by_hand():
    watch = Watch().look()
    del watch.nodes[1]
    watch.instances[1] = replace(watch.instances[1], cluster=None)

    assert watch.look(60, every=MINUTE).of(TerminateInstance) == []


def test_an_instance_that_joined_again_is_not_terminated_for_its_old_node():
    watch = Watch().look().goes_down(1)
    joined = replace(worker(1), id="n-9")
    old = watch.view.nodes["n-1"]
    watch.look(60, every=20 * SECOND)
    (due,) = watch.of(TerminateInstance)
    assert due.instance == "i-1"

    watch = Watch()
    watch.does = False
    watch.look().goes_down(1).look(60, every=20 * SECOND)
    nodes = {**watch.view.nodes, joined.id: joined}
    rejoined = replace(watch.view, nodes=nodes, in_flight=frozenset())

    assert old.instance == joined.instance
    assert list(reconcile(Moment(rejoined, POLICY, watch.at - 20 * SECOND))) == []
