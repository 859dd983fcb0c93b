"""New workers get their share under load, with the fewest moves, and nothing is lost."""

from dataclasses import replace

import pytest
from scenario import eventually

from lab.load import ingress
from lab.load.web_service import WebService

WIDE = WebService("wide", replicas=8, start_seconds=1)


@pytest.fixture(scope="module")
def wide(served, seldom):
    """Eight tasks; other services stay as they are."""
    ingress.deploy(served, replace(WIDE, **seldom))
    yield WIDE
    ingress.remove(served, WIDE.name)


@pytest.mark.engines
def test_a_new_worker_gets_its_share_with_the_fewest_moves(farm, wide):
    ingress.wait_served(farm.lab, wide)
    assert farm.counts("wide") == [3, 3, 2]
    before, specs = farm.tasks("wide"), farm.specs()
    moved = farm.done("ChangeService")
    with farm.under_load(wide):
        farm.launch(count=1)
        eventually(
            lambda: farm.counts("wide") == [2, 2, 2, 2], within=60, every=0.5, what="2/2/2/2"
        )

    assert len(set(before) - set(farm.tasks("wide"))) == 2
    assert farm.specs() == specs
    assert farm.done("ChangeService") == moved + 2


def test_a_leader_killed_in_the_middle_of_spreading_gives_the_scale_back(farm, wide):
    ingress.wait_served(farm.lab, wide)
    with farm.under_load(wide):
        farm.launch(count=1)
        assert farm.lends(within=60) == ["wide"]
        leader = farm.leader()
        killed = farm.kill_daemon(leader, "spotswarm-leader")
        eventually(
            lambda: farm.counts("wide")[0] - farm.counts("wide")[-1] <= 1 and farm.is_whole("wide"),
            within=60,
            every=0.5,
            what="an even spread",
        )

    assert farm.main_pid(leader, "spotswarm-leader") != killed
    assert len(farm.tasks("wide")) == WIDE.replicas
