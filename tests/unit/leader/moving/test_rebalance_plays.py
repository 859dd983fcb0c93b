"""Whole stories of rebalancing, played against the swarm in memory."""

from dataclasses import replace

import pytest
from leader_play import BRISK, WEB, Play, Watched, assert_as_found, changes, join, swarm
from swarm_model import service

from leader.view.events import RebalanceAsked
from wire.labels import LABEL_LOAN


@pytest.mark.parametrize("fate", ["hang", "fail", "full"])
@pytest.mark.parametrize("is_spiteful", [True, False])
@pytest.mark.parametrize(("nodes", "replicas"), [(3, 6), (3, 7), (2, 5), (5, 13)])
def test_added_tasks_that_do_not_come_up_are_taken_back_and_no_other(
    fate, is_spiteful, nodes, replicas
):
    play = Play(swarm(nodes=nodes, replicas=replicas))
    play.run(8)
    watched = Watched(play)
    before = play.swarm.up(WEB)
    play.swarm.fate, play.swarm.has_room = fate, fate != "full"
    play.swarm.is_spiteful = is_spiteful

    join(play, 9)
    play.run_until_quiet()

    assert play.swarm.up(WEB) == before
    assert watched.least == {"web": replicas}
    assert any(change.is_failure for change in changes(play))
    assert_as_found(play, {"web": ((), None, replicas, {})})
    assert len(changes(play)) <= 3


@pytest.mark.parametrize("fate", ["hang", "fail"])
@pytest.mark.parametrize("is_spiteful", [True, False])
@pytest.mark.parametrize("luck", [1, 2])
@pytest.mark.parametrize(("nodes", "replicas"), [(1, 6), (2, 8), (2, 13)])
def test_a_spread_of_which_a_part_does_not_come_up_costs_no_task_that_served(
    fate, is_spiteful, luck, nodes, replicas
):
    play = Play(swarm(nodes=nodes, replicas=replicas))
    play.run(8)
    watched = Watched(play)
    play.swarm.fate, play.swarm.luck = fate, luck
    play.swarm.is_spiteful = is_spiteful

    join(play, 9)
    play.run_until_quiet()

    assert watched.least == {"web": replicas}
    assert play.swarm.serving(WEB) == replicas
    assert_as_found(play, {"web": ((), None, replicas, {})})


def test_an_update_of_its_own_in_the_middle_of_spreading_goes_first():
    play = Play(swarm(nodes=3, update={"Parallelism": 1}))
    play.run(8)
    join(play, 9)
    while not changes(play):
        play.step()
    play.swarm.start_seconds = 22

    play.swarm.user_changes(WEB, image=True)
    play.run(8 * 24)
    begun = [change for change in changes(play) if change.label is not None]
    assert len(begun) == 1
    play.run_until_quiet()

    assert play.swarm.services[WEB].update == {"Parallelism": 1}
    assert play.swarm.spread_of(WEB) == [2, 2, 1, 1]
    assert {play.swarm.made[one].image for one in play.swarm.up(WEB)} == {2}
    assert_as_found(play, {"web": ((), {"Parallelism": 1}, 6, {})})


def test_a_service_that_could_not_be_spread_is_left_alone_for_an_hour():
    play = Play(swarm(nodes=3))
    play.run(8)
    play.swarm.fate = "hang"
    join(play, 9)
    play.run_until_quiet()
    done = len(changes(play))

    play.run(120)
    assert len(changes(play)) == done

    play.swarm.fate = "up"
    play.tell(RebalanceAsked, (WEB,))
    play.run_until_quiet()
    assert play.swarm.spread_of(WEB) == [2, 2, 1, 1]


def test_one_service_is_spread_at_a_time():
    play = Play(swarm(nodes=2, more=(service("api", replicas=4),)))
    play.run(8)
    held = []
    play.watch.append(
        lambda at: held.append(sum(LABEL_LOAN in one.labels for one in at.swarm.services.values()))
    )

    join(play, 8)
    play.run_until_quiet()

    assert max(held) == 1
    assert play.swarm.spread_of(WEB) == [2, 2, 2]
    assert play.swarm.spread_of("api") == [2, 1, 1]


def test_only_as_many_tasks_as_a_budget_allows_are_moved_in_an_hour():
    policy = replace(BRISK, rebalances_per_hour=3)
    play = Play(swarm(nodes=2, more=(service("api", replicas=6),)), policy=policy)
    play.run(8)

    join(play, 9)
    play.run_until_quiet()

    assert play.swarm.spread_of("api") == [2, 2, 2]
    assert play.swarm.spread_of(WEB) == [3, 3, 0]
