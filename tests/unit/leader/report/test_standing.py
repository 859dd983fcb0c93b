import json
from dataclasses import replace
from datetime import timedelta

from builders import NOW, POLICY, SECOND, instance, manager_node, view
from census_watch import MINUTE, Watch
from swarm_model import service, task, worker

from leader.report.standing import attention, outlook, pending_tasks, refused
from leader.view.actions import TerminateInstance
from leader.view.moment import Moment
from leader.view.terms import Leaving, Then
from leader.view.work import Work

NONE = timedelta()
NO_NODE = "no suitable node (scheduling constraints not satisfied on 3 nodes)"
LATER = NOW + 15 * SECOND


def pending(name, of="web", **said):
    return task(name, of, None, **({"state": "pending", "trouble": NO_NODE} | said))


def moment_of(watch):
    return Moment(watch.view, watch.policy, watch.at)


def told(*tasks, at=LATER, services=("web", "api")):
    work = Work.of([service(name) for name in services], tasks)
    return pending_tasks(Moment(view(worker(1), work=work), POLICY, at))


def test_tasks_that_no_node_takes_are_told_with_swarms_own_message():
    """B2: no worker was left, seven tasks were pending, and `status` was content."""
    tasks = [pending(f"t{n}", slot=n) for n in range(7)]

    (row,) = told(*tasks)

    assert row == {"service": "web", "tasks": 7, "wanted": 2, "why": NO_NODE, "seconds": 15}


def test_tasks_that_swarm_is_placing_or_has_placed_or_does_not_want_are_not_told():
    assert told(pending("a", created=LATER - 9 * SECOND)) == []
    assert told(pending("a", state="preparing"), task("b")) == []
    assert told(pending("a", desired="shutdown")) == []
    assert told() == []


def test_each_service_has_one_row_with_its_most_frequent_message():
    tasks = [pending("a", trouble="x"), pending("b", slot=2), pending("c", slot=3)]

    rows = told(*tasks, pending("d", "api", trouble=""))

    assert [(row["service"], row["tasks"]) for row in rows] == [("api", 1), ("web", 3)]
    assert [row["why"] for row in rows] == ["Swarm has not said why", NO_NODE]


def test_while_tasks_are_listed_again_none_is_told():
    assert pending_tasks(Moment(view(worker(1)), POLICY, LATER)) == []


def test_a_refusal_is_told_for_as_long_as_it_stands_and_about_whom_it_is():
    watch = Watch(range(1, 8)).look().dies(1, 2, 3, 4).look(90)

    (row,) = attention(moment_of(watch), NONE)["refusals"]

    assert row["about"] == "removals (missing)"
    assert row["instances"] == ["i-1", "i-2", "i-3", "i-4"]
    assert "none of them is removed" in row["reason"]
    assert refused(moment_of(watch), {"i-2"}) == [row]
    (sentence,) = outlook(moment_of(watch), {"i-2"})
    assert sentence.startswith("When the refusal ends, the node ip-10-0-0-2 is removed")
    assert refused(moment_of(watch), {"n-2"}) == [row]
    assert refused(moment_of(watch), {"i-5", "n-5", "web"}) == []


def test_a_manager_that_cannot_be_demoted_is_a_standing_refusal_too():
    labels = Leaving("operator", NOW, NOW + MINUTE, Then.STAY).labels()
    only = manager_node("n-1", labels=labels)

    (row,) = refused(Moment(view(only), POLICY, NOW))

    assert row["about"] == "demoting ip-10-0-0-1"
    assert row["nodes"] == ["n-1"]


def test_nothing_is_told_of_a_healthy_cluster_or_before_anything_was_listed():
    for watch in (Watch(), Watch().look(20)):
        assert attention(moment_of(watch), NONE) == {
            "refusals": [],
            "pending_tasks": [],
            "clock_step_seconds": 0.0,
        }


def test_a_clock_that_was_set_is_told_and_all_of_it_is_json():
    watch = Watch(range(1, 8)).look().dies(1, 2, 3, 4).look(10)

    said = attention(moment_of(watch), timedelta(hours=-1))

    assert said["clock_step_seconds"] == -3600
    json.dumps(said)


def test_after_a_node_was_removed_by_hand_it_is_told_that_its_instance_ends():
    """B6: `explain` was silent for 15 minutes, and then the instance was terminated."""
    watch = Watch().look()
    del watch.nodes[1]
    watch.look(7)

    (sentence,) = outlook(moment_of(watch), {"i-1"})
    assert sentence == "In 830 s, i-1 is terminated unless it joins the swarm"
    assert outlook(moment_of(watch), {"i-2", "n-2"}) == []

    watch.look(83)
    assert watch.of(TerminateInstance) == []
    watch.does = False
    watch.look(2)
    assert [one.instance for one in watch.of(TerminateInstance)] == ["i-1"]
    assert outlook(moment_of(watch), {"i-1"})[0].startswith("In this round or one of the next, i-1")


def test_an_orphan_that_may_be_an_unbound_node_is_told_with_the_doubt():
    watch = Watch().look()
    watch.nodes[1] = replace(watch.nodes[1], labels={}, address="10.9.9.9")
    watch.look(7)

    (sentence,) = outlook(moment_of(watch), {"i-1"})

    assert sentence.endswith("while ip-10-0-0-1 is in the swarm without a known instance")


def test_a_node_that_is_down_is_told_what_becomes_of_it():
    watch = Watch().look().dies(1).goes_down(2).ends(3).look(2)

    (gone,) = outlook(moment_of(watch), {"n-1"})
    (silent,) = outlook(moment_of(watch), {"i-2"})
    (ended,) = outlook(moment_of(watch), {"n-3"})

    assert "the node ip-10-0-0-1 is removed from the swarm unless EC2 lists i-1" in gone
    assert silent == "In 580 s, i-2 is terminated unless its node ip-10-0-0-2 is Ready again"
    assert "because EC2 has terminated i-3" in ended


def test_outside_aws_nothing_is_foretold():
    watch = Watch(policy=replace(POLICY, identity="password")).look()
    watch.instances[7] = instance("i-7")
    watch.look(3)

    assert outlook(moment_of(watch), {"i-7"}) == []
