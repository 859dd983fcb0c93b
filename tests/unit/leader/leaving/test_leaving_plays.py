"""Whole stories of leaving, played against the swarm in memory."""

import pytest
from builders import SECOND
from leader_play import WEB, Play, Watched, assert_as_found, changes, join, swarm
from swarm_model import service

from leader.view.actions import DrainNode, PauseNode, RemoveNode
from leader.view.events import DrainAsked, ReturnAsked
from leader.view.ids import NodeId
from wire.labels import DRAINED, LEAVING, RETURNING
from wire.messages import Availability


def test_an_interrupted_node_leaves_and_no_task_is_missed():
    play = Play(swarm())
    watched = Watched(play)
    others = {one for one in play.swarm.up(WEB) if play.swarm.tasks[one].node != "n-1"}

    play.interrupt("i-1")
    play.run_until_quiet()

    assert watched.least == {"web": 6}
    assert others <= play.swarm.up(WEB)
    assert NodeId("n-1") not in play.swarm.nodes
    assert play.queue == {}
    assert play.kinds().count("TerminateInstance") == 1
    assert play.kinds().index("PauseNode") < play.kinds().index("ChangeService")
    assert play.kinds().index("DrainNode") < play.kinds().index("OrderLeave")
    assert play.kinds().index("OrderLeave") < play.kinds().index("RemoveNode")
    assert play.kinds().index("RemoveNode") < play.kinds().index("TerminateInstance")


def test_a_node_whose_agent_does_not_wait_is_emptied_and_ended_all_the_same():
    play = Play(swarm())
    watched = Watched(play)

    play.interrupt("i-1", is_heard=False)
    play.run_until_quiet()

    assert watched.least == {"web": 6}
    assert "OrderLeave" not in play.kinds()
    assert play.kinds().count("TerminateInstance") == 1
    assert NodeId("n-1") not in play.swarm.nodes


@pytest.mark.parametrize("apart", range(8))
def test_of_two_interruptions_the_second_does_not_stop_what_the_first_moves(apart):
    play = Play(swarm(nodes=5, replicas=7))
    watched = Watched(play)

    play.interrupt("i-1")
    play.run(apart)
    play.interrupt("i-2")
    play.run_until_quiet()

    assert watched.least == {"web": 7}
    assert {"n-1", "n-2"}.isdisjoint(play.swarm.nodes)
    assert_as_found(play, {"web": ((), None, 7, {})})


@pytest.mark.parametrize("apart", range(12))
def test_an_interruption_while_a_spread_is_under_way_costs_nothing(apart):
    play = Play(swarm(nodes=3))
    play.run(8)
    watched = Watched(play)

    join(play, 9)
    play.run(apart)
    play.interrupt("i-1")
    play.run_until_quiet()

    assert watched.least == {"web": 6}
    assert play.swarm.spread_of(WEB) == [2, 2, 2]
    assert_as_found(play, {"web": ((), None, 6, {})})


@pytest.mark.parametrize("after", range(12))
def test_a_node_returned_in_the_middle_keeps_what_serves(after):
    play = Play(swarm())
    watched = Watched(play)

    play.tell(DrainAsked, NodeId("n-1"), 90 * SECOND)
    play.run(after)
    play.tell(ReturnAsked, NodeId("n-1"))
    play.run_until_quiet()

    assert watched.least == {"web": 6}
    assert play.swarm.nodes["n-1"].availability is Availability.ACTIVE
    assert_as_found(play, {"web": ((), None, 6, {})})


def test_a_drained_node_stays_drained_until_it_is_returned():
    play = Play(swarm())

    play.tell(DrainAsked, NodeId("n-1"), 90 * SECOND)
    play.run_until_quiet()
    assert play.swarm.nodes["n-1"].phase == DRAINED
    assert play.swarm.nodes["n-1"].availability is Availability.DRAIN
    assert "TerminateInstance" not in play.kinds()

    play.tell(ReturnAsked, NodeId("n-1"))
    play.run_until_quiet()
    assert play.swarm.nodes["n-1"].phase == ""
    assert play.swarm.spread_of(WEB) == [2, 2, 1, 1]


@pytest.mark.parametrize("fate", ["hang", "fail", "full"])
def test_tasks_that_do_not_come_up_keep_the_old_ones_until_time_is_short(fate):
    play = Play(swarm())
    play.swarm.fate, play.swarm.has_room = fate, fate != "full"
    watched = Watched(play)

    play.interrupt("i-1")
    play.run(85)
    assert watched.least == {"web": 6}
    assert "DrainNode" not in play.kinds()

    play.run(60)
    (drain,) = (one for one in play.decided if isinstance(one, DrainNode))
    assert len(drain.unmoved) == 2
    assert "no time left to move" in drain.reason

    play.swarm.fate, play.swarm.has_room = "up", True
    play.run(30)
    play.run_until_quiet()
    assert play.swarm.serving(WEB) == 6
    assert_as_found(play, {"web": ((), None, 6, {})})


@pytest.mark.parametrize("apart", [0, 1, 2, 4, 8, 16])
@pytest.mark.parametrize("slow", [35, 45, 55])
def test_of_two_interruptions_the_second_waits_for_what_is_slow_to_start(apart, slow):
    play = Play(swarm(nodes=5, replicas=7))
    watched = Watched(play)
    play.swarm.start_seconds = slow

    play.interrupt("i-1")
    play.run(apart)
    play.interrupt("i-2")
    play.run(slow + apart + 5)

    assert watched.least == {"web": 7}
    play.swarm.start_seconds = 2
    play.run_until_quiet()
    assert_as_found(play, {"web": ((), None, 7, {})})


@pytest.mark.parametrize("crash", [None, 0, 3])
def test_a_node_that_aws_takes_cannot_be_returned_by_this_leader_or_the_next(crash):
    play = Play(swarm())
    play.interrupt("i-1", is_heard=False)
    while play.swarm.nodes["n-1"].phase != LEAVING:
        play.step()
    if crash is not None:
        play.run(crash)
        play.queue.clear()
        play.lead()

    play.tell(ReturnAsked, NodeId("n-1"))
    play.run_until_quiet()

    assert RETURNING not in [
        action.labels.get("spotswarm.phase")
        for action in play.decided
        if isinstance(action, PauseNode)
    ]
    assert "ActivateNode" not in play.kinds()
    assert NodeId("n-1") not in play.swarm.nodes


def test_a_global_service_and_one_that_stops_first_do_not_hold_a_node_up():
    play = Play(
        swarm(
            more=(
                service("logs", mode="global"),
                service("db", replicas=1, labels={"spotswarm.evacuate": "stop-first"}),
            )
        )
    )

    play.interrupt("i-1")
    play.run_until_quiet()

    assert {change.name for change in changes(play)} == {"web"}
    assert play.swarm.serving("db") == 1


def test_a_death_without_notice_is_cleaned_up_by_the_two_lists():
    play = Play(swarm())

    play.swarm.take("i-1")
    play.run(25)
    assert "RemoveNode" not in play.kinds()
    play.run(60)
    play.run_until_quiet()

    (removed,) = (one for one in play.decided if isinstance(one, RemoveNode))
    assert removed.node == "n-1"
    assert play.swarm.serving(WEB) == 6


def test_a_leader_lost_as_it_hears_of_an_interruption_loses_no_message():
    play = Play(swarm(), delays=(0, 3, 2), lag=2, crashes=[2])
    play.run(1)

    play.interrupt("i-1", is_heard=False)
    play.run(30)

    assert any(isinstance(one, PauseNode) for one in play.decided)
    assert play.queue == {}
