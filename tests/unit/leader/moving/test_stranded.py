"""Which tasks have nowhere to go, and why."""

from builders import NOW, SECOND, view
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import service, task, worker

from leader.moving.loan import Loan, text_of
from leader.moving.placement import has_room
from leader.moving.stranded import sentences, stranded, without_address
from leader.view.work import Work
from wire.labels import LABEL_LOAN
from wire.messages import Availability


def why(services, tasks, *nodes):
    seen = view(worker(1, generic={"gpu": 1}, cpu=9, memory=9), *nodes)
    return list(sentences(seen.nodes["n-1"], seen, Work.of(services, tasks)))


def test_a_task_that_needs_a_gpu_has_nowhere_to_go_without_another():
    ml = service("ml", generic={"gpu": 1})
    tasks = [task("a", "ml")]

    assert why([ml], tasks, worker(2), worker(3)) == [
        "ml.1 has nowhere to go: no other node has a gpu"
    ]
    assert not has_room(worker(2), ml, Work.of([ml], tasks))
    assert why([ml], tasks, worker(2), worker(3, generic={"gpu": 1})) == []


def test_a_gpu_that_another_task_reserves_is_not_free():
    services = [service("ml", generic={"gpu": 1}), service("ai", generic={"gpu": 2})]
    tasks = [task("a", "ml"), task("b", "ai", "n-2")]

    (sentence,) = why(services, tasks, worker(2, generic={"gpu": 2}))

    assert sentence == "ml.1 has nowhere to go: no other node has a free gpu"
    (sentence,) = why([service("ai", generic={"gpu": 2})], [task("b", "ai")], worker(2))
    assert sentence.endswith("no other node has 2 gpu")


def test_with_one_task_per_node_and_no_node_left_a_task_has_nowhere_to_go():
    one_each = service(most_per_node=1)
    tasks = [task("a"), task("b", on="n-2", slot=2)]

    (sentence,) = why([one_each], tasks, worker(2))

    assert sentence == (
        "web.1 has nowhere to go: its service allows 1 task per node, and no other node has room"
        " for another task"
    )
    assert why([one_each], tasks, worker(2), worker(3)) == []


def test_two_tasks_are_not_promised_the_same_place():
    tasks = [task("a"), task("b", slot=2), task("c", on="n-2", slot=3)]

    (sentence,) = why([service(most_per_node=2)], tasks, worker(2))

    assert sentence.startswith("web.2 has nowhere to go")
    (sentence,) = why([service(memory=5)], tasks, worker(2, memory=10))
    assert "too little CPU or memory is free" in sentence


def test_an_image_for_another_platform_and_a_missing_plugin_are_obstacles():
    arm = worker(2, platform=("linux", "aarch64"))
    amd64 = service(platforms=(("linux", "amd64"),))

    assert why([amd64], [task("a")], arm) == [
        "web.1 has nowhere to go: its image is for linux/amd64, and no other node is"
    ]
    ebs = service(volume_plugins=frozenset({"ebs"}))
    bare = worker(2, volume_plugins=frozenset({"local"}))
    assert why([ebs], [task("a")], bare) == [
        "web.1 has nowhere to go: no other node has the volume plugin ebs"
    ]
    assert why([ebs], [task("a")], worker(2, volume_plugins=None)) == []


def test_a_host_port_that_another_service_uses_is_an_obstacle():
    gate = service("gate", has_host_ports=True, host_ports=frozenset({("tcp", 80)}))
    other = service("other", has_host_ports=True, host_ports=frozenset({("tcp", 80)}))
    tasks = [task("a", "gate"), task("b", "other", "n-2")]

    (sentence,) = why([gate, other], tasks, worker(2))

    assert sentence.endswith("every other node uses port 80 already")
    assert why([gate, other], tasks, worker(2), worker(3)) == []


def test_different_obstacles_are_told_node_by_node():
    ml = service("ml", generic={"gpu": 1}, memory=5)
    nodes = worker(2, memory=9), worker(3, generic={"gpu": 1}, memory=4)

    (sentence,) = why([ml], [task("a", "ml")], *nodes)

    assert sentence == (
        "ml.1 has nowhere to go: ip-10-0-0-2 does not have a gpu, ip-10-0-0-3 has too little free"
        " CPU or memory"
    )


def test_our_own_constraints_are_no_part_of_the_sentence():
    ours = ("node.id!=n-1",)
    loan = Loan("evacuate", NOW, away_from=("n-1",), constraints=ours)
    lent = service(constraints=("node.labels.disk==ssd", *ours), labels={LABEL_LOAN: text_of(loan)})

    assert why([lent], [task("a")], worker(2)) == [
        "web.1 has nowhere to go: no other node that satisfies node.labels.disk==ssd takes tasks"
    ]


def test_what_does_not_move_is_not_stranded():
    alone = (worker(2, availability=Availability.DRAIN),)
    for said in (
        {"mode": "global"},
        {"mode": "replicated-job"},
        {"labels": {"spotswarm.evacuate": "never"}},
    ):
        tasks = [task("a", desired="complete" if "job" in said.get("mode", "") else "running")]
        assert why([service(**said)], tasks, *alone) == []
    assert why([service()], [task("a", desired="shutdown")], *alone) == []
    unknown = service(constraints=("node.ip=10.0.0.1",))
    assert why([unknown], [task("a")], worker(2)) == []


def test_a_task_whose_replacement_has_a_node_is_not_stranded():
    tasks = [task("a"), task("b", on="n-2", state="preparing"), task("c", on="n-2", slot=2)]

    assert why([service(most_per_node=1)], tasks, worker(2)) == []


def test_a_replacement_that_stays_new_is_said_to_have_no_address():
    old, new = task("a"), task("b", on=None, state="new")
    work = Work.of([service()], [old, new])

    assert list(without_address(worker(1), work, NOW + 4 * SECOND)) == []
    (sentence,) = without_address(worker(1), work, NOW + 5 * SECOND)
    assert sentence.startswith("the replacement of web.1 has no address")


@at_most(50)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_as_many_tasks_are_placed_as_there_are_places(taken, moving, most):
    """Whatever runs where, each free place takes one task, and the others are stranded."""
    taken = [min(count, most) for count in taken]
    nodes = [worker(number) for number in range(2, len(taken) + 2)]
    tasks = [task(f"a-{slot}", slot=slot) for slot in range(moving)]
    slots = iter(range(100, 200))
    for node, count in zip(nodes, taken, strict=True):
        for _ in range(count):
            slot = next(slots)
            tasks.append(task(f"b-{slot}", on=node.id, slot=slot))
    seen = view(worker(1), *nodes)
    free = sum(most - count for count in taken)

    nowhere = stranded(seen.nodes["n-1"], seen, Work.of([service(most_per_node=most)], tasks))

    assert len(nowhere) == max(0, moving - free)
