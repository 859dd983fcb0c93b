import pytest

from leader.view.stance import Engine, Founder, Stance, choose

ME, OTHER = "i-1", "i-2"
MANAGER = Engine(state="active", node="n-1", is_manager=True)


def stance(engine, founder=None):
    chosen, reason = choose(engine, founder, instance=ME)
    assert reason
    return chosen


def test_the_raft_leaders_daemon_leads():
    engine = Engine(state="active", is_manager=True, is_leader=True, leader="me")

    assert stance(engine) is Stance.LEAD


@pytest.mark.parametrize(
    "engine",
    [
        Engine(state="active", is_manager=True, leader="other"),
        Engine(state="active", is_manager=True),
        Engine(state="active", is_manager=True, error="the swarm does not have a leader"),
    ],
)
def test_any_other_managers_daemon_stands_by(engine):
    assert stance(engine) is Stance.STAND_BY


@pytest.mark.parametrize("founder", [Founder(None), Founder(ME)])
def test_who_may_found_founds_when_there_is_no_swarm(founder):
    assert stance(Engine(state="inactive"), founder) is Stance.FOUND_SWARM


@pytest.mark.parametrize(
    "founder", [None, Founder(OTHER), Founder(OTHER, is_founded=True), Founder(ME, is_founded=True)]
)
def test_nobody_else_ever_founds_a_second_swarm(founder):
    assert stance(Engine(state="inactive"), founder) is Stance.WAIT


@pytest.mark.parametrize("state", ["pending", "error", "locked", "active"])
@pytest.mark.parametrize("founder", [None, Founder(None), Founder(ME)])
def test_an_engine_that_is_anything_but_inactive_never_founds(state, founder):
    assert stance(Engine(state=state), founder) is Stance.WAIT
