from datetime import timedelta

import pytest
from builders import NOW, POLICY, SECOND, manager_node, node, view
from hypothesis import given
from hypothesis import strategies as st
from leader_play import BRISK, Play
from randomness import at_most
from swarm_model import Swarm, service, task, worker

from leader.moving.fates import Fate
from leader.moving.loan import Loan, text_of
from leader.report.plans import (
    DrainPlan,
    ReturnPlan,
    drain_plan,
    find_node,
    rebalance_plans,
    rebalance_waits_for,
    return_plan,
)
from leader.view.events import DrainAsked
from leader.view.model import Moves, Setback, Wish
from leader.view.moment import Moment
from leader.view.notices import Notice, Notices
from leader.view.refusal import Refusal
from leader.view.terms import Leaving, Then
from leader.view.work import Work
from wire.labels import DRAINED, HINTED, LABEL_WAS, RETURNING
from wire.messages import Availability

WITHIN = timedelta(seconds=90)


def leaving(number, *, why="operator", then=Then.STAY, phase=None, **said):
    labels = Leaving(why, NOW, NOW + WITHIN, then).labels()
    return worker(
        number,
        labels=labels | ({"spotswarm.phase": phase} if phase else {}) | said.pop("labels", {}),
        **({"availability": Availability.PAUSE} | said),
    )


def plan(*nodes, services=(), tasks=(), name="n-1", **said):
    seen = view(*nodes, work=Work.of(services, tasks), **said)
    return drain_plan(Moment(seen, POLICY, NOW), name, WITHIN)


def test_a_node_is_found_by_each_of_its_names():
    seen = view(worker(1, hostname="ip-10-0-0-1.eu-central-1.compute.internal"), worker(2))

    for name in ("ip-10-0-0-1.eu-central-1.compute.internal", "ip-10-0-0-1", "n-1", "i-1"):
        found = find_node(seen, name)
        assert not isinstance(found, Refusal), name
        assert found.id == "n-1"


def test_the_start_of_an_id_needs_four_characters_and_must_fit_one_node():
    seen = view(node("abcdef"), node("abcdxy"))

    assert find_node(seen, "abcde").id == "abcdef"
    for name in ("abc", "abcd", ""):
        assert isinstance(find_node(seen, name), Refusal)
    assert "abcdef, abcdxy" in find_node(seen, "abcd").next_step
    assert find_node(seen, "nobody").is_unknown
    assert not find_node(seen, "abcd").is_unknown


def test_of_an_old_entry_that_is_down_and_the_node_of_today_the_living_is_meant():
    old = node("n-8", hostname="a", status="down")

    assert find_node(view(old, node("n-9", hostname="a")), "a").id == "n-9"
    assert find_node(view(old), "a").id == "n-8"
    assert isinstance(find_node(view(old, node("n-7", hostname="a", status="down")), "a"), Refusal)


@pytest.mark.parametrize(
    ("said", "fate", "words"),
    [
        ({"has_health_check": True}, Fate.MOVED, "once a replacement is healthy elsewhere"),
        ({}, Fate.MOVED, "once its process starts"),
        ({"update_state": "updating"}, Fate.WAITS, "left to Swarm's drain at 20:01:00 UTC"),
        (
            {"labels": {"spotswarm.evacuate": "stop-first"}},
            Fate.DRAINED,
            "the service has the label spotswarm.evacuate=stop-first",
        ),
        ({"labels": {"spotswarm.evacuate": "never"}}, Fate.RUNS_ON, "cut off at 20:01:15 UTC"),
        ({"has_host_ports": True}, Fate.DRAINED, "a port of the host"),
        ({"has_local_volumes": True}, Fate.DRAINED, "the service's data is on this machine"),
        ({"mode": "global"}, Fate.DRAINED, "each node that can run it has its own task"),
        ({"has_single_node_volumes": True}, Fate.DRAINED, "only one node at a time can have"),
        ({"mode": "replicated-job"}, Fate.RUNS_ON, "Swarm's drain does not stop jobs"),
    ],
)
def test_each_task_is_told_its_fate(said, fate, words):
    told = plan(worker(1), worker(2), services=[service(**said)], tasks=[task("a")])

    assert isinstance(told, DrainPlan)
    (one,) = told.tasks
    assert (one.name, one.fate) == ("web.1", fate)
    assert words in one.why


def test_an_update_of_ours_is_waited_for_by_nobody():
    loan = text_of(Loan("evacuate", NOW, away_from=("n-1",)))
    lent = service(update_state="updating", labels={"spotswarm.loan": loan})

    told = plan(worker(1), worker(2), services=[lent], tasks=[task("a")])

    assert told.tasks[0].fate is Fate.MOVED


def test_an_update_of_its_own_is_waited_for_also_while_it_is_spread():
    spread = text_of(Loan("rebalance", NOW, own_replicas=2, lent_replicas=3))
    lent = service(update_state="updating", labels={"spotswarm.loan": spread})

    told = plan(worker(1), worker(2), services=[lent], tasks=[task("a")])

    assert told.tasks[0].fate is Fate.WAITS


def test_what_stops_already_and_what_has_no_service_is_told_too():
    told = plan(
        worker(1),
        services=[service()],
        tasks=[task("a", desired="shutdown"), task("b", of="gone"), task("c", state="complete")],
    )

    assert {one.name: one.fate for one in told.tasks} == {
        "web.1": Fate.STOPPING,
        "gone.1": Fate.DRAINED,
    }


@pytest.mark.parametrize(
    ("nodes", "said", "words"),
    [
        ((), {}, "no other node takes tasks"),
        ((worker(2, availability=Availability.DRAIN),), {}, "no other node takes tasks"),
        ((worker(2),), {"constraints": ("node.labels.disk==ssd",)}, "satisfies node.labels.disk"),
        ((worker(2, cpu=1, memory=9),), {"cpu": 2}, "too little CPU or memory is free"),
        ((worker(2),), {"most_per_node": 1}, "its service allows 1 task per node"),
    ],
)
def test_a_service_that_has_nowhere_to_go_is_warned_of(nodes, said, words):
    tasks = [task("a"), task("b", on="n-2", slot=2)]

    told = plan(worker(1), *nodes, services=[service(**said)], tasks=tasks)

    (warning,) = told.warnings
    assert warning.startswith("web.1 has nowhere to go: ")
    assert words in warning


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ((worker(2),), {}),
        ((worker(2),), {"constraints": ("node.ip=10.0.0.1",)}),
        ((), {"mode": "global"}),
        ((), {"labels": {"spotswarm.evacuate": "never"}}),
    ],
)
def test_nobody_is_warned_without_need_or_without_knowing(nodes, said):
    assert not plan(worker(1), *nodes, services=[service(**said)], tasks=[task("a")]).warnings


@pytest.mark.parametrize(
    ("node_", "reason", "next_step"),
    [
        (
            leaving(1, why="interruption"),
            "already leaving (interruption), with 1 task and",
            "--watch",
        ),
        (leaving(1, phase=DRAINED), "already drained", "spotswarm return"),
        (worker(1, labels={"spotswarm.phase": "joining"}), "joining", "explain"),
        (worker(1, status="down"), "is Down", "explain"),
    ],
)
def test_a_drain_that_would_do_nothing_is_refused(node_, reason, next_step):
    told = plan(node_, worker(2), services=[service()], tasks=[task("a")])

    assert isinstance(told, Refusal)
    assert reason in told.reason
    assert next_step in told.next_step


def test_what_is_hinted_or_on_its_way_back_may_be_drained():
    for phase in (HINTED, RETURNING):
        assert isinstance(plan(leaving(1, phase=phase), worker(2)), DrainPlan)


def test_a_drain_that_was_asked_for_is_not_asked_for_again():
    told = plan(worker(1), moves=Moves(wishes={"n-1": Wish("drain", NOW, WITHIN)}))

    assert "about to be drained" in told.reason


def test_no_plan_is_made_without_the_tasks():
    assert "try again" in drain_plan(Moment(view(worker(1)), POLICY, NOW), "n-1", WITHIN).next_step
    assert isinstance(rebalance_plans(view(worker(1)), (), NOW), Refusal)


def test_a_manager_is_demoted_unless_the_majority_would_go():
    three = [manager_node(f"n-{number}", is_leader=number == 1) for number in (1, 2, 3)]

    told = plan(*three)
    assert told.is_demoted
    assert "another manager will take over" in told.warnings[0]
    assert not plan(*three, name="n-2").warnings
    lost = manager_node("n-4", status="down", reachability="unreachable")
    assert "not a majority" in plan(*three[:2], lost).reason
    assert "the only manager" in plan(three[0]).reason


@pytest.mark.parametrize(
    ("node_", "reason"),
    [
        (worker(1), "already takes tasks"),
        (worker(1, availability=Availability.DRAIN), "with Docker, not with spotswarm"),
        (worker(1, labels={"spotswarm.phase": "joining"}), "joining"),
        (leaving(1, phase=RETURNING), "already returning"),
        (
            leaving(1, why="interruption", then=Then.TERMINATE),
            "AWS will interrupt ip-10-0-0-1 at 20:01:30",
        ),
        (leaving(1, why="interruption", then=Then.AWS), "AWS will interrupt"),
        (leaving(1, why="maintenance", then=Then.TERMINATE), "AWS will interrupt"),
    ],
)
def test_only_what_can_come_back_is_returned(node_, reason):
    told = return_plan(view(node_), "n-1")

    assert isinstance(told, Refusal)
    assert reason in told.reason
    assert told.next_step


@pytest.mark.parametrize(
    "node_",
    [
        leaving(1),
        leaving(1, phase=DRAINED, availability=Availability.DRAIN),
        leaving(1, why="rebalance", phase=HINTED),
        leaving(1, why="rebalance", then=Then.TERMINATE),
    ],
)
def test_what_the_operator_or_a_hint_put_away_comes_back(node_):
    assert isinstance(return_plan(view(node_), "n-1"), ReturnPlan)


def test_a_return_tells_what_comes_first_and_what_may_happen_after():
    lent = service(labels={"spotswarm.loan": text_of(Loan("evacuate", NOW, away_from=("n-1",)))})
    notices = Notices().merge(Notice("i-1", "rebalance", "queue", NOW))
    drained = leaving(1, phase=DRAINED, status="down", labels={LABEL_WAS: "manager"})

    told = return_plan(view(drained, notices=notices, work=Work.of([lent], [])), "n-1")

    assert (told.is_promoted, told.held_by) == (True, ("web",))
    assert len(told.warnings) == 2


def test_an_instance_that_was_told_to_go_or_is_to_be_taken_does_not_come_back():
    for notices in (
        Notices(ordered={"i-1": (NOW, NOW)}),
        Notices(departed={"i-1": NOW}),
        Notices().merge(Notice("i-1", "interruption", "queue", NOW, NOW + WITHIN)),
    ):
        assert isinstance(return_plan(view(leaving(1), notices=notices), "n-1"), Refusal)


UNEVEN = [task(f"t{slot}", on="n-1", slot=slot) for slot in (1, 2, 3)] + [
    task("t4", on="n-2", slot=4)
]


def spreading(*, said=None, **seen):
    work = Work.of([service(replicas=4, **(said or {})), service("api", replicas=1)], UNEVEN)
    return view(worker(1), worker(2), worker(3), work=work, **seen)


def test_spreading_is_told_by_host_name_and_by_the_fewest_moves():
    api, web = rebalance_plans(spreading(), (), NOW)

    assert (web.stage, web.moves) == ("uneven", 1)
    assert web.before == {"ip-10-0-0-1": 3, "ip-10-0-0-2": 1, "ip-10-0-0-3": 0}
    assert web.after == {"ip-10-0-0-1": 2, "ip-10-0-0-2": 1, "ip-10-0-0-3": 1}
    assert (api.stage, api.hindrance) == ("left alone", "it has fewer than two tasks")


def test_nodes_of_one_host_name_are_told_apart():
    seen = spreading()
    seen = view(*[node(name, hostname="a") for name in seen.nodes], work=seen.work)

    (web,) = rebalance_plans(seen, ["web", "web"], NOW)

    assert web.before == {"a (n-1)": 3, "a (n-2)": 1, "a (n-3)": 0}


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        (spreading(moves=Moves(rebalance_wishes={"web": NOW})), "asked"),
        (spreading(in_flight=frozenset({"service web"})), "moving"),
        (spreading(said={"labels": {"spotswarm.loan": text_of(Loan("rebalance", NOW))}}), "moving"),
        (spreading(moves=Moves(stuck={"web": Setback(1, NOW + SECOND)})), "stuck"),
        (spreading(moves=Moves(stuck={"web": Setback(1, NOW)})), "uneven"),
    ],
)
def test_it_is_told_how_far_a_spreading_is(seen, stage):
    (web,) = rebalance_plans(seen, ["web"], NOW)

    assert web.stage == stage


def test_a_service_nobody_knows_is_refused():
    told = rebalance_plans(spreading(), ["web", "wbe"], NOW)

    assert "'wbe'" in told.reason
    assert told.is_unknown


def test_spreading_waits_for_nodes_that_come_or_go():
    assert "ip-10-0-0-1" in rebalance_waits_for(view(leaving(1), worker(2)))
    assert not rebalance_waits_for(view(leaving(1, phase=DRAINED, availability=Availability.DRAIN)))


@at_most(40)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.sampled_from(["", "start-first", "stop-first", "never"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_told_is_what_happens(kinds):
    services = [
        service(
            f"s{number}",
            replicas=replicas,
            mode="global" if is_global else "replicated",
            labels={"spotswarm.evacuate": label} if label else {},
        )
        for number, (replicas, label, is_global) in enumerate(kinds)
    ]
    play = Play(Swarm([worker(number) for number in (1, 2, 3)], services), policy=BRISK)
    play.run(3)
    told = drain_plan(Moment(play.view, BRISK, play.swarm.at), "n-1", WITHIN)
    here = {one.id: one for one in play.view.work.on("n-1") if one.is_wanted}
    assert len(here) == len(told.tasks)

    play.tell(DrainAsked, "n-1", WITHIN)
    fewest = {}
    for _ in range(120):
        play.step()
        for name in play.swarm.services:
            fewest[name] = min(fewest.get(name, 99), play.swarm.serving(name))

    assert play.swarm.nodes["n-1"].phase == DRAINED
    for one in told.tasks:
        before = play.swarm.services[one.service].replicas
        if one.fate is Fate.MOVED:
            assert fewest[one.service] == before


def test_a_task_without_another_node_is_stranded_and_not_moved():
    ml = service("ml", generic={"gpu": 1})
    tasks = [task("a", of="ml"), task("b")]

    told = plan(worker(1), worker(2), services=[ml, service()], tasks=tasks)

    stranded, moved = told.tasks
    assert (stranded.fate, moved.fate) == (Fate.STRANDED, Fate.MOVED)
    assert stranded.why == (
        "no other node has a gpu; it waits for a node, and Swarm's drain stops it at 20:01:00 UTC"
    )
    assert told.warnings == ("ml.1 has nowhere to go: no other node has a gpu",)


def test_a_task_that_stops_first_and_has_nowhere_to_go_says_both():
    db = service(has_local_volumes=True, constraints=("node.labels.disk==ssd",))

    told = plan(worker(1), worker(2), services=[db], tasks=[task("a")])

    assert told.tasks[0].fate is Fate.DRAINED
    assert told.tasks[0].why.endswith(
        "no other node that satisfies node.labels.disk==ssd takes tasks"
    )


def test_the_task_of_a_job_is_not_stopping_while_it_runs():
    job = service("job", mode="replicated-job")

    told = plan(worker(1), services=[job], tasks=[task("a", of="job", desired="complete")])

    assert told.tasks[0].fate is Fate.RUNS_ON
    assert not told.warnings
