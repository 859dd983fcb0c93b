"""Whatever happens, services and nodes end as their owners want them.

Interruptions, drains, returns and joins; people's changes; leaders lost at any second; slow
answers, old lists, and tasks that do not come up for two minutes.
"""

from builders import SECOND
from hypothesis import example, given
from hypothesis import strategies as st
from leader_play import WEB, Play, Watched, assert_as_found, join, said, swarm
from randomness import at_most
from swarm_model import service

from leader.view.actions import TerminateInstance
from leader.view.events import DrainAsked, ReturnAsked
from leader.view.ids import NodeId

OWN_UPDATES = (None, {"Parallelism": 1}, {"Parallelism": 2, "Order": "stop-first", "Delay": 5})

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
    st.sampled_from(["up", "hang", "fail", "full", "end", "broken"]),
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
    if fate == "broken":
        made.fate, made.broken = "up", {NodeId("n-2")}

    story.play_on(events)
    story.play.run(130)
    made.fate, made.has_room, made.broken = "up", True, set()
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
@example([(0, "join", 0), (0, "join", 0), (6, "image", 0)], [0], [], 0, False)
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
