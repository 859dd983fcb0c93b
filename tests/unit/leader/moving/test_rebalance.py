from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, view
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import QUIET, service, task, worker

from leader.decide import decide
from leader.moving.loan import Loan, loan_of, text_of
from leader.moving.rebalance import Planner, distribution, rebalance
from leader.view.events import Done, RebalanceAsked, Ticked, WorkListed
from leader.view.model import Moves, Setback
from leader.view.moment import Moment
from leader.view.work import Work
from wire.labels import LABEL_LOAN
from wire.messages import Availability

NODES = ("n-1", "n-2", "n-3")


def placed(*counts, of="web", **said):
    """Tasks of one service, so many on each node, that have run for a minute."""
    said = {"created": NOW - 60 * SECOND} | said
    names = [f"n-{node}" for node, many in enumerate(counts, 1) for _ in range(many)]
    return [task(f"{of}-{slot}", of, on, slot=slot, **said) for slot, on in enumerate(names, 1)]


def seen(services, tasks, *, nodes=(), **fields):
    nodes = nodes or tuple(worker(number) for number in (1, 2, 3))
    return view(*nodes, **({"work": Work.of(services, tasks), "tokens": QUIET} | fields))


def plan(one, tasks, **fields):
    known = seen([one], tasks, **fields)
    return Planner(known, known.work).plan(one)


def begun(known, at=NOW, policy=POLICY, *, is_news=True):
    return list(rebalance(Moment(known, policy, at, is_work_new=is_news)))


# Planning


def test_a_plan_says_what_moves_and_what_comes_of_it():
    found = plan(service(replicas=6), placed(4, 2, 0))

    assert found.moves == 2
    assert found.before == {"n-1": 4, "n-2": 2, "n-3": 0}
    assert sorted(found.after.values()) == [2, 2, 2]
    assert not found.hindrance


@at_most(60)
@given(st.lists(st.integers(0, 6), min_size=3, max_size=3).filter(lambda held: sum(held) > 1))
def test_a_plan_moves_the_fewest_and_leaves_no_two_nodes_apart_by_more_than_one(held):
    found = plan(service(replicas=sum(held)), placed(*held))

    least, rest = divmod(sum(held), 3)
    even = sorted([least + (n < rest) for n in range(3)])
    assert sorted(found.after.values() or [0]) in (even, [one for one in even if one])
    assert found.moves == sum(max(0, a - b) for a, b in zip(sorted(held), even, strict=True))


UNEVEN = placed(4, 2, 0)


@pytest.mark.parametrize(
    ("said", "tasks", "why"),
    [
        ({"mode": "global"}, UNEVEN, "cannot be moved start-first (global"),
        ({"mode": "replicated-job"}, UNEVEN, "cannot be moved start-first (replicated-job"),
        ({"mode": "global-job"}, UNEVEN, "cannot be moved start-first (global-job"),
        ({"labels": {"spotswarm.evacuate": "never"}}, UNEVEN, "never"),
        ({"has_host_ports": True}, UNEVEN, "stop-first"),
        ({"labels": {"spotswarm.rebalance": "False"}}, UNEVEN, "turns rebalancing off"),
        ({"labels": {"spotswarm.rebalance": "off"}}, UNEVEN, "turns rebalancing off"),
        ({"has_preferences": True}, UNEVEN, "preferences"),
        ({"most_per_node": 5}, UNEVEN, "limits the number of its tasks"),
        ({"labels": {LABEL_LOAN: "spoilt"}}, UNEVEN, "being moved"),
        ({"update_state": "updating"}, UNEVEN, "not finished (updating)"),
        ({"update_state": "paused"}, UNEVEN, "not finished (paused)"),
        ({"update_state": "rollback_started"}, UNEVEN, "rollback_started"),
        ({"replicas": 1}, placed(1), "fewer than two tasks"),
        ({"replicas": 0}, [], "fewer than two tasks"),
        ({"replicas": 7}, UNEVEN, "not all of its tasks are up"),
        ({}, [*UNEVEN[:5], replace(UNEVEN[5], state="starting")], "not all of its tasks are up"),
        ({"constraints": ("node.ip=10.0.0.1",)}, UNEVEN, "cannot evaluate"),
        ({"constraints": ("node.id!=n-1",)}, UNEVEN, "takes no new tasks"),
        ({"cpu": 6}, UNEVEN, "too little free CPU or memory"),
    ],
)
def test_a_service_that_is_not_to_be_spread_is_left_alone_and_the_plan_says_why(said, tasks, why):
    found = plan(service(**({"replicas": 6} | said)), tasks)

    assert why in found.hindrance
    assert found.moves == 0


@pytest.mark.parametrize("said", [{"update_state": "completed"}, {"cpu": 5}, {"memory": 5}])
def test_a_service_whose_update_is_over_and_that_fits_is_spread(said):
    roomy = tuple(worker(number, cpu=20, memory=20) for number in (1, 2, 3))

    assert plan(service(replicas=6, **said), UNEVEN, nodes=roomy).moves == 2


def test_room_is_measured_by_what_else_runs_there():
    roomy = tuple(worker(number, cpu=10) for number in (1, 2, 3))
    other = service("api", cpu=8, replicas=1)
    one = service(replicas=2, cpu=3)
    tasks = [*placed(2), task("api-1", "api", "n-2"), task("gone-1", "gone", "n-3")]
    known = seen([one, other], tasks, nodes=roomy)

    assert "too little free CPU or memory" in Planner(known, known.work).plan(one).hindrance
    elsewhere = [*placed(2), task("api-1", "api", "n-2", state="failed")]
    known = seen([one, other], elsewhere, nodes=roomy)
    assert Planner(known, known.work).plan(one).hindrance == ""


def test_a_node_that_takes_no_tasks_is_not_counted_with():
    nodes = (worker(1), worker(2), worker(3, availability=Availability.DRAIN))

    assert plan(service(replicas=6), placed(3, 3), nodes=nodes).moves == 0


def test_counts_are_told_short():
    assert distribution({"a": 1, "b": 3}) == "3/1"
    assert distribution({str(number): number % 2 for number in range(8)}) == "4x1, 4x0"


# Beginning

WEB = service(replicas=6)


def test_spreading_begins_on_a_fresh_list_only():
    known = seen([WEB], UNEVEN)

    (change,) = begun(known)
    assert change.replicas == 8
    assert (change.constraints, change.update) == ((), None)
    assert (
        "2 of 6 tasks of web move; the tasks per node change from 4/2/0 to 2/2/2" in change.reason
    )
    assert begun(known, is_news=False) == []
    assert begun(replace(known, work=None)) == []


@pytest.mark.parametrize(
    "phase",
    [
        {"labels": {"spotswarm.phase": "leaving"}, "availability": Availability.PAUSE},
        {"labels": {"spotswarm.phase": "hinted"}, "availability": Availability.PAUSE},
        {"labels": {"spotswarm.phase": "joining"}, "availability": Availability.DRAIN},
    ],
)
def test_nothing_is_spread_while_nodes_come_or_go(phase):
    nodes = (*(worker(number) for number in (1, 2, 3)), worker(4, **phase))

    assert begun(seen([WEB], UNEVEN, nodes=nodes)) == []


def test_nothing_is_spread_while_a_service_is_being_changed():
    assert begun(seen([WEB], UNEVEN, in_flight=frozenset({"service api"}))) == []


def test_nothing_is_spread_right_after_a_node_came_unless_it_is_asked_for():
    known = seen([WEB], UNEVEN, moves=Moves(node_added_at=NOW))

    assert begun(known, NOW + 59 * SECOND) == []
    assert len(begun(known, NOW + 60 * SECOND)) == 1
    asked = replace(known, moves=Moves(node_added_at=NOW, rebalance_wishes={"web": NOW}))
    assert len(begun(asked)) == 1


def test_spreading_can_be_turned_off_and_asked_for_all_the_same():
    off = replace(POLICY, is_rebalancing=False)
    known = seen([WEB], UNEVEN)

    assert begun(known, policy=off) == []
    asked, actions = decide(known, RebalanceAsked("e-1", NOW, ("web",)), off)
    assert not [one for one in actions if one.subject == "service web"]
    listed = WorkListed("e-2", NOW, (WEB,), tuple(UNEVEN))
    asked, actions = decide(asked, listed, off)
    (change,) = (one for one in actions if one.subject == "service web")
    done, _ = decide(asked, Done("e-3", NOW, change), off)
    assert done.moves.rebalance_wishes == {}


def test_the_budget_counts_an_hour_and_one_large_service_is_not_shut_out_by_it():
    policy = replace(POLICY, rebalances_per_hour=1)
    fresh = seen([WEB], UNEVEN)
    assert len(begun(fresh, policy=policy)) == 1

    spent = replace(fresh, moves=Moves(rebalanced=((NOW, 1),)))
    assert begun(spent, policy=policy) == []
    assert len(begun(spent, NOW + 3600 * SECOND, policy)) == 1


def test_what_was_moved_is_counted_when_it_is_done():
    known = seen([WEB], UNEVEN)
    (change,) = begun(known)

    after, _ = decide(known, Done("e-1", NOW, change), POLICY)

    assert after.moves.rebalanced == ((NOW, 2),)
    assert after.work is None


def test_a_service_that_is_stuck_waits_and_others_do_not():
    stuck = Moves(stuck={"api": Setback(1, NOW + SECOND)})
    known = seen(
        [WEB, service("api", replicas=6)], [*UNEVEN, *placed(4, 2, 0, of="api")], moves=stuck
    )

    assert [change.name for change in begun(known)] == ["web"]
    assert [change.name for change in begun(known, NOW + SECOND)] == ["api"]


# Carrying on

LOAN = Loan("rebalance", NOW, own_replicas=6, lent_replicas=8)
LENT = service(replicas=8, labels={LABEL_LOAN: text_of(LOAN)})


def on_the_way(*states, on="n-3"):
    added = [
        task(f"new-{number}", on=on, slot=number, state=state)
        for number, state in enumerate(states, 7)
    ]
    return [*UNEVEN, *added]


def test_added_tasks_are_waited_for_and_then_the_scale_given_back():
    assert begun(seen([LENT], on_the_way("running", "starting"))) == []
    assert begun(seen([LENT], on_the_way("running"))) == []
    (change,) = begun(seen([LENT], on_the_way("running", "running")), is_news=False)
    assert (change.replicas, change.label, change.is_failure) == (6, None, False)


def test_nothing_else_is_begun_while_a_loan_is_out():
    api = service("api", replicas=6)

    assert begun(seen([LENT, api], [*on_the_way(), *placed(4, 2, 0, of="api")])) == []


def test_added_tasks_that_are_not_up_in_time_are_gathered_first():
    known = seen([LENT], on_the_way("running", "starting", on="n-4"))
    assert begun(known, NOW + POLICY.rebalance_patience - SECOND) == []

    known = seen([LENT], on_the_way("starting", "starting", on="n-3"))
    (change,) = begun(known, NOW + POLICY.rebalance_patience)

    assert change.constraints == ("node.id!=n-3",)
    assert change.update["Order"] == "start-first"
    assert change.replicas == 8
    assert "did not start in time" in change.reason


def test_added_tasks_that_break_are_not_waited_for():
    broken = task("broken", on="n-3", slot=7, state="failed", desired="shutdown", trouble="exit 1")
    known = seen([LENT], [*on_the_way("starting", "starting"), broken])

    (change,) = begun(known)

    assert "(exit 1)" in change.reason


def test_a_task_that_broke_before_is_nothing_of_ours():
    old = task("old", on="n-3", slot=7, state="failed", desired="shutdown", created=NOW - SECOND)

    assert begun(seen([LENT], [*on_the_way("starting", "starting"), old])) == []


def test_added_tasks_without_a_node_are_taken_back_at_once():
    known = seen([LENT], on_the_way("pending", "pending", on=None))

    (change,) = begun(known, NOW + POLICY.rebalance_patience)

    assert (change.replicas, change.label, change.is_failure) == (6, None, True)


def test_added_tasks_beside_good_ones_do_not_cost_these_their_place():
    known = seen([LENT], on_the_way("starting", "starting", on="n-1"))

    (change,) = begun(known, NOW + POLICY.rebalance_patience)

    assert change.constraints == ()
    assert change.is_failure


def test_an_added_task_that_serves_beside_bad_ones_does_not_keep_them():
    known = seen([LENT], on_the_way("running", "starting"))

    (change,) = begun(known, NOW + POLICY.rebalance_patience)

    assert change.constraints == ("node.id!=n-3",)
    assert not change.is_failure


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started", "rollback_paused"])
@pytest.mark.parametrize("states", [("running", "running"), ("starting", "starting")])
def test_an_update_of_its_own_that_begins_meanwhile_is_left_alone(state, states):
    known = seen([replace(LENT, update_state=state)], on_the_way(*states))

    assert begun(known, NOW + POLICY.rebalance_patience) == []


def test_gathered_tasks_are_taken_back_when_each_has_a_second():
    gathered = replace(LOAN, away_from=("n-3",), constraints=("node.id!=n-3",))
    lent = replace(LENT, constraints=("node.id!=n-3",), labels={LABEL_LOAN: text_of(gathered)})
    alone = on_the_way("starting", "starting")
    second = task("second", on=None, slot=7, state="pending")

    assert begun(seen([lent], [*alone, second])) == []
    (change,) = begun(seen([lent], [*alone, second, replace(second, id="third", slot=8)]))
    assert (change.replicas, change.constraints, change.is_failure) == (6, (), True)


def test_deciding_twice_gives_nothing_new():
    listed = WorkListed("e-1", NOW, (WEB,), tuple(UNEVEN))
    after, actions = decide(seen([WEB], []), listed, POLICY)
    assert len([one for one in actions if one.subject == "service web"]) == 1

    assert decide(after, replace(listed, id="e-2"), POLICY) == (after, ())
    assert decide(after, Ticked("e-3", NOW), POLICY) == (after, ())


def test_a_loan_says_all_the_next_leader_needs():
    (change,) = begun(seen([WEB], UNEVEN))

    assert loan_of(replace(WEB, labels={LABEL_LOAN: change.label})) == LOAN


# What only some nodes can run


def test_a_service_is_spread_over_the_nodes_that_can_run_it_and_no_other():
    nodes = (worker(1, generic={"gpu": 9}), worker(2, generic={"gpu": 9}), worker(3))
    ml = service(replicas=4, generic={"gpu": 1})

    found = plan(ml, placed(4), nodes=nodes)

    assert (found.moves, found.after) == (2, {"n-1": 2, "n-2": 2})
    alone = (worker(1, generic={"gpu": 9}), worker(2), worker(3))
    assert (plan(ml, placed(4), nodes=alone).moves, plan(ml, placed(4), nodes=alone).hindrance) == (
        0,
        "",
    )
    arm = (worker(1), worker(2), worker(3, platform=("linux", "aarch64")))
    amd64 = service(replicas=4, platforms=(("linux", "amd64"),))
    assert plan(amd64, placed(4), nodes=arm).after == {"n-1": 2, "n-2": 2}


def test_a_service_is_not_spread_to_a_node_without_room_for_all_that_it_would_get():
    nodes = (worker(1, generic={"gpu": 9}), worker(2, generic={"gpu": 1}), worker(3))
    ml = service(replicas=4, generic={"gpu": 1})

    found = plan(ml, placed(4), nodes=nodes)

    assert found.moves == 0
    assert found.hindrance == "another node does not have a free gpu"
    assert not begun(seen([ml], placed(4), nodes=nodes))


def test_an_added_task_that_ends_with_success_has_failed():
    loan = Loan("rebalance", NOW, own_replicas=2, lent_replicas=3)
    one = service(replicas=3, labels={LABEL_LOAN: text_of(loan)})
    ended = task("t-3", on="n-3", slot=3, state="complete", created=NOW, trouble="it ended")
    tasks = [*placed(2), ended, task("t-4", on="n-3", slot=3, state="starting", created=NOW)]

    (change,) = begun(seen([one], tasks), NOW + SECOND)

    assert "(it ended)" in change.reason
    allowed = [replace(one, may_end=True) for one in tasks]
    assert begun(seen([one], allowed), NOW + SECOND) == []
