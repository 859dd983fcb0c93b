import pytest
from builders import node
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import service, task

from leader.moving.placement import eligible, has_room, imbalance, scaled_down, scaled_up
from leader.view.work import Work
from wire.messages import Availability

counts = st.dictionaries(st.sampled_from([f"n-{n}" for n in range(9)]), st.integers(0, 9))


def test_only_nodes_that_take_tasks_are_eligible():
    nodes = (
        node("n-1"),
        node("n-2", status="down"),
        node("n-3", availability=Availability.PAUSE),
        node("n-4"),
    )

    assert eligible(nodes, ("node.id!=n-4",)) == ("n-1",)
    assert eligible(nodes, ("Node.Role==Worker",)) == ("n-1", "n-4")
    assert eligible(nodes, ("node.id=n-1",)) is None


@pytest.mark.parametrize(
    ("held", "moves"),
    [([], 0), ([2, 2, 2], 0), ([3, 3, 0], 2), ([6, 0, 0], 4), ([3, 2], 0), ([4, 1, 1], 2)],
)
def test_the_imbalance_is_how_many_have_to_move(held, moves):
    assert imbalance({f"n-{n}": one for n, one in enumerate(held)}) == moves


@at_most(60)
@given(counts.filter(bool))
def test_scaling_up_and_down_by_the_imbalance_leaves_no_two_nodes_apart_by_more_than_one(held):
    moves = imbalance(held)

    after = scaled_down(scaled_up(held, moves), moves)

    assert max(after.values()) - min(after.values()) <= 1
    assert sum(after.values()) == sum(held.values())
    assert sum(max(0, held[name] - after[name]) for name in held) == moves


def test_room_is_what_is_not_reserved():
    small = node("n-1", cpu=2_000, memory=100)

    def full(cpu, memory):
        return Work.of([service("other", cpu=cpu, memory=memory)], [task("t-1", of="other")])

    assert has_room(small, service(), full(2_000, 100))
    assert has_room(small, service(cpu=500, memory=50), full(1_500, 50))
    assert not has_room(small, service(cpu=501), full(1_500, 0))
    assert not has_room(small, service(memory=51), full(0, 50))
