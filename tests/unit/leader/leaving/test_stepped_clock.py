"""The leader's machine has its clock set by an hour; the leader decides the same all the same."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from leader_play import Play, Watched, assert_as_found, swarm
from randomness import at_most
from stepped_play import SteppedPlay

from leader.view.actions import DrainNode, ListInstances, RemoveNode
from leader.view.events import DrainAsked
from leader.view.ids import NodeId

HOUR = 3600


def interrupted(play, *, within=120):
    watched = Watched(play)
    play.run(3)
    play.interrupt("i-1", within=within)
    play.run_until_quiet()
    return watched


def decisions(play):
    """What was decided, without what only says when EC2 is asked."""
    rows = (one for one in play.decided if not isinstance(one, ListInstances))
    return [(type(one).__name__, one.subject, one.reason) for one in rows]


@cache
def plainly_decided():
    """What is decided if nobody sets the clock."""
    play = Play(swarm())
    interrupted(play)
    return decisions(play)


@at_most(2)
@given(
    st.integers(0, 20),
    st.sampled_from([HOUR, -HOUR, 90, -90]),
    st.one_of(st.none(), st.integers(1, 25)),
)
@example(5, HOUR, None)
@example(5, -HOUR, None)
@example(8, HOUR, 6)
def test_a_clock_that_is_set_during_an_evacuation_changes_no_decision(second, off, back):
    steps = {second: off} | ({} if back is None else {second + back: 0})
    stepped = SteppedPlay(swarm(), steps=steps)
    watched = interrupted(stepped)

    assert watched.least == {"web": 6}
    assert decisions(stepped) == plainly_decided()
    assert_as_found(stepped, {"web": ((), None, 6, {})})


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_task_that_never_comes_up_delays_no_deadline_whatever_the_clock_says(off):
    play = SteppedPlay(swarm(), steps={20: off})
    play.run(3)
    play.swarm.fate = "hang"
    play.interrupt("i-1")
    play.run(130)

    (drain,) = (one for one in play.decided if isinstance(one, DrainNode))
    assert drain.unmoved
    assert play.swarm.instances.get("i-1") is None or not play.swarm.instances["i-1"].runs
    drained_at = next(
        number for number, one in enumerate(play.decided) if isinstance(one, DrainNode)
    )
    assert not any(isinstance(one, RemoveNode) for one in play.decided[:drained_at])


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_drain_of_the_operators_has_its_whole_time_whatever_the_clock_says(off):
    play = SteppedPlay(swarm(), steps={6: off})
    play.swarm.fate = "hang"
    play.run(2)
    play.tell(DrainAsked, NodeId("n-1"), timedelta(seconds=60))

    play.run(25)
    assert "DrainNode" not in play.kinds()
    play.run(20)
    assert "DrainNode" in play.kinds()


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_node_that_is_down_for_seconds_is_not_removed_when_the_clock_is_set(off):
    play = SteppedPlay(swarm(), steps={12: off})
    play.run(5)
    play.swarm.take("i-1")

    play.run(20)
    assert "RemoveNode" not in play.kinds()
    assert play.swarm.nodes["n-1"].status == "down"
    # EC2 is asked once a minute until an instance is missing.
    play.run(90)
    assert play.kinds().count("RemoveNode") == 1
    assert play.kinds().count("TerminateInstance") == 0


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_leader_that_first_sees_the_labels_after_its_clock_was_set_keeps_the_deadline(off):
    play = SteppedPlay(swarm(), steps={10: off}, crashes=(11,))
    play.run(3)
    play.swarm.fate = "hang"
    play.interrupt("i-1")

    play.run(125)

    assert "DrainNode" in play.kinds()
    assert play.swarm.instances.get("i-1") is None or not play.swarm.instances["i-1"].runs


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_these_plays_notice_a_leader_that_believes_its_clock(off):
    """Ahead, the tasks are drained at once; behind, every list is dropped, and AWS is faster."""
    play = SteppedPlay(swarm(), steps={8: off}, believes=True)
    watched = Watched(play)
    play.run(3)
    play.interrupt("i-1")
    play.run(125)

    unmoved = [one for one in play.decided if isinstance(one, DrainNode) and one.unmoved]
    assert unmoved or watched.least["web"] < 6 or "OrderLeave" not in play.kinds()


def test_these_plays_notice_a_leader_that_removes_by_the_clock():
    play = SteppedPlay(swarm(), steps={75: HOUR}, believes=True)
    play.run(58)
    play.swarm.nodes["n-1"] = replace(play.swarm.nodes["n-1"], status="down")
    play.run(20)

    assert "TerminateInstance" in play.kinds()


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_a_running_instance_whose_node_is_down_is_not_given_up_when_the_clock_is_set(off):
    play = SteppedPlay(swarm(), steps={75: off})
    play.run(58)
    play.swarm.nodes["n-1"] = replace(play.swarm.nodes["n-1"], status="down")
    play.run(60)

    assert not {"TerminateInstance", "RemoveNode"} & set(play.kinds())
