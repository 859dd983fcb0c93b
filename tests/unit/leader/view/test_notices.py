from datetime import timedelta

from builders import NOW, SECOND
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most

from leader.view.notices import Listener, Notice, Notices

notices = st.builds(
    Notice,
    instance=st.sampled_from(["i-1", "i-2"]),
    kind=st.sampled_from(["interruption", "rebalance", "maintenance"]),
    source=st.sampled_from(["agent", "queue"]),
    announced_at=st.just(NOW),
    deadline=st.one_of(st.none(), st.integers(-60, 240).map(lambda n: NOW + n * SECOND)),
    action=st.just("terminate"),
)


def heard(said):
    notices = Notices()
    for one in said:
        notices = notices.merge(one)
    return notices


def deadlines(notices):
    return {
        (one.instance, one.kind): one.deadline for held in notices.standing.values() for one in held
    }


@at_most(80)
@given(st.lists(notices, max_size=8), st.randoms(use_true_random=False))
def test_what_is_known_depends_neither_on_the_order_nor_on_repetition(said, random):
    again = [*said, *said]
    random.shuffle(again)

    assert deadlines(heard(again)) == deadlines(heard(said))


@at_most(50)
@given(st.lists(notices, min_size=1, max_size=8))
def test_what_was_said_before_gives_the_very_same_market(said):
    notices = heard(said)

    assert all(notices.merge(one) is notices for one in said)


def test_messages_that_are_off_the_queue_are_forgotten_one_by_one():
    notices = Notices(receipts={"i-1": ("a", "b"), "i-2": ("c",)})

    assert notices.deleted(("a", "c")).receipts == {"i-1": ("b",)}


def test_all_of_an_instance_is_forgotten_but_not_its_pool():
    listener = Listener("reply", "key", 0, NOW)
    full = Notices(
        standing={"i-1": ()},
        listeners={"i-1": listener},
        receipts={"i-1": ("a",)},
        departed={"i-1": NOW},
        ordered={"i-1": (NOW, NOW)},
        to_terminate={"i-1": "x"},
        replacements={"i-1": NOW},
    )

    assert full.without("i-1") == Notices()
    assert full.without("i-2") is full


def test_a_quiet_market_is_not_made_anew():
    notices = heard([Notice("i-1", "rebalance", "queue", NOW)])

    assert notices.current(NOW + timedelta(hours=24)) is notices
    assert notices.current(NOW + timedelta(hours=25)).standing == {}
