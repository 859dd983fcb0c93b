"""Whole stories of leaving and spreading, played against the swarm in memory."""

from dataclasses import replace

import pytest
from builders import SECOND, instance
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import BRISK, Play, Swarm, service, worker

from leader.view.actions import ChangeService, DrainNode, PauseNode, RemoveNode, TerminateInstance
from leader.view.events import DrainAsked, RebalanceAsked, ReturnAsked
from leader.view.ids import InstanceId, NodeId, ServiceId
from wire.labels import DRAINED, HINTED, LABEL_LOAN, LEAVING, RETURNING
from wire.messages import Availability

WEB = ServiceId("web")
OWN_UPDATES = (None, {"Parallelism": 1}, {"Parallelism": 2, "Order": "stop-first", "Delay": 5})


def swarm(*, nodes=4, replicas=6, more=(), **said):
    return Swarm(
        [worker(number) for number in range(1, nodes + 1)],
        [service(replicas=replicas, **said), *more],
    )


def join(play, number):
    play.swarm.nodes[NodeId(f"n-{number}")] = worker(number)
    play.swarm.instances[InstanceId(f"i-{number}")] = instance(f"i-{number}")


def said(one):
    return one.constraints, one.update, one.replicas, dict(one.labels)


def changes(play):
    return [action for action in play.decided if isinstance(action, ChangeService)]


class Watched:
    """The fewest slots of each service that served at any second, while there was time."""

    def __init__(self, play):
        self.least = {name: play.swarm.serving(name) for name in play.swarm.services}
        play.watch.append(self._look)

    def _look(self, play):
        if any(isinstance(action, DrainNode) and action.unmoved for action in play.decided):
            return
        for name in self.least:
            self.least[name] = min(self.least[name], play.swarm.serving(name))


def assert_as_found(play, before):
    """Nothing of ours is left on services and nodes."""
    assert {name: said(one) for name, one in play.swarm.services.items()} == before
    for one in play.swarm.nodes.values():
        assert one.phase not in {LEAVING, HINTED, RETURNING}
        assert one.availability is not Availability.PAUSE


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


# Whatever happens: interruptions, drains, returns and joins, people's changes in between, leaders
# lost at any second, slow answers, old lists, tasks that do not come up for two minutes.

happenings = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from(
            ["interrupt", "interrupt", "drain", "return", "join", "scale", "update", "image"]
        ),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=4,
)
delays = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=1, max_size=5)
crashes = st.lists(st.integers(1, 100), max_size=2)


class Story:
    """One play, and what the services are to be in the end by the user's own word."""

    def __init__(self, made, **how):
        self.play = Play(made, **how)
        self.before = {name: said(one) for name, one in made.services.items()}
        self.numbers = iter(range(7, 99))
        self.leaving = []
        self.drained = []

    def happens(self, what, pick):
        play, made = self.play, self.play.swarm
        staying = [
            one
            for one in made.nodes.values()
            if one.phase == "" and one.is_ready and one.id not in self.leaving
        ]
        constraints, update, replicas, labels = self.before["web"]
        match what:
            case "interrupt" | "drain" if len(staying) >= 3:
                one = staying[pick % len(staying)]
                self.leaving.append(one.id)
                if what == "drain":
                    self.drained.append(one.id)
                    play.tell(DrainAsked, one.id, 90 * SECOND)
                else:
                    play.interrupt(one.instance, is_heard=pick % 3 > 0)
            case "return" if self.drained:
                play.tell(ReturnAsked, self.drained[-1])
            case "join":
                join(play, next(self.numbers))
            case "scale" if made.services["web"].replicas != 1 + pick:
                # To what we lent just now, it would not be told from ours.
                replicas = 1 + pick
                made.user_changes("web", replicas=replicas)
            case "image":
                made.user_changes("web", image=True)
            case "update":
                changed = {"Parallelism": 4}
                made.user_changes("web", update=(made.services["web"].update or {}) | changed)
                update = (update or {}) | changed
        self.before["web"] = (constraints, update, replicas, labels)

    def play_on(self, events):
        for when, what, pick in sorted(events):
            self.play.run(max(0, when - self.play.second))
            self.happens(what, pick)


@at_most(25)
@given(
    happenings,
    delays,
    crashes,
    st.integers(0, 2),
    st.sampled_from(["up", "hang", "fail", "full"]),
    st.sampled_from(OWN_UPDATES),
    st.booleans(),
)
@example([(0, "interrupt", 0), (7, "image", 0)], [0], [], 0, "fail", None, False)
def test_whatever_happens_services_and_nodes_are_as_they_were_in_the_end(
    events, waits, lost, lag, fate, update, is_spiteful
):
    made = swarm(nodes=5, update=update, more=(service("api", replicas=1),))
    story = Story(made, delays=waits, lag=lag, crashes=lost)
    made.is_spiteful = is_spiteful
    made.fate, made.has_room = fate, fate != "full"

    story.play_on(events)
    story.play.run(130)
    made.fate, made.has_room = "up", True
    story.play.run(70)
    story.play.run_until_quiet()

    assert_as_found(story.play, story.before)
    assert all(made.serving(name) == one.replicas for name, one in made.services.items())
    assert story.play.queue == {}


@at_most(25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(["interrupt", "drain", "return", "join", "image"]),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=4,
    ),
    delays,
    crashes,
    st.integers(0, 2),
    st.booleans(),
)
@example([(0, "interrupt", 1), (1, "interrupt", 1)], [0, 3, 0, 0], [], 0, True)
@example([(0, "join", 0), (9, "interrupt", 1), (12, "drain", 2)], [0], [11], 1, True)
@example([(0, "image", 0), (10, "interrupt", 4)], [1], [], 0, False)
def test_while_there_is_time_what_serves_goes_on_serving(events, waits, lost, lag, is_spiteful):
    gentle = {"Parallelism": 1, "Order": "start-first"}
    made = swarm(nodes=5, replicas=7, update=gentle, more=(service("api", replicas=1),))
    story = Story(made, delays=waits, lag=lag, crashes=lost)
    made.is_spiteful = is_spiteful
    watched = Watched(story.play)

    story.play_on(events)
    story.play.run_until_quiet()

    assert watched.least == {"web": 7, "api": 1}
    assert_as_found(story.play, story.before)


@at_most(20)
@given(st.integers(1, 5), st.integers(2, 13), st.integers(1, 3), delays, crashes)
def test_spreading_moves_as_few_as_can_be_and_no_other(nodes, replicas, joined, waits, lost):
    play = Play(swarm(nodes=nodes, replicas=replicas), delays=waits, crashes=lost)
    play.run(8)
    watched = Watched(play)
    before = play.swarm.up(WEB)
    uneven = [*play.swarm.spread_of(WEB), *[0] * joined]
    whole, rest = divmod(replicas, len(uneven))
    even = [whole + (place < rest) for place in range(len(uneven))]

    for number in range(joined):
        join(play, 7 + number)
    play.run_until_quiet()
    play.run(90)

    assert play.swarm.spread_of(WEB) == even
    moved = len(before - play.swarm.up(WEB))
    assert moved == sum(max(0, had - has) for had, has in zip(uneven, even, strict=True))
    assert watched.least == {"web": replicas}
    assert_as_found(play, {"web": ((), None, replicas, {})})


def test_a_second_leader_carries_a_removal_on_that_the_first_had_begun():
    for crash in range(1, 30, 3):
        play = Play(swarm(), delays=(0, 1), crashes=[crash])
        play.interrupt("i-1")
        play.run_until_quiet()

        assert NodeId("n-1") not in play.swarm.nodes
        assert play.swarm.serving(WEB) == 6
        assert not [
            one
            for one in play.decided
            if isinstance(one, TerminateInstance) and one.instance != "i-1"
        ]
