from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, view
from swarm_model import QUIET, service, task, worker

from leader.decide import decide
from leader.moving.evacuate import evacuate
from leader.moving.fates import Manner, manner, to_move
from leader.moving.loan import Loan, loan_of, text_of
from leader.view.events import Done, Failed, WorkListed
from leader.view.model import Moves, Setback
from leader.view.moment import Moment
from leader.view.work import Work
from wire.labels import LABEL_LOAN
from wire.messages import Availability

AWAY = Loan(
    "evacuate",
    NOW,
    away_from=("n-1",),
    constraints=("node.id!=n-1",),
    is_update_lent=True,
    own_update={"Delay": 5},
)


def leaver(number=1, **said):
    return worker(
        number,
        **({"availability": Availability.PAUSE, "labels": {"spotswarm.phase": "leaving"}} | said),
    )


def lent(loan=AWAY, **said):
    constraints = tuple(f"node.id!={name}" for name in loan.away_from)
    return service(**({"constraints": constraints, "labels": {LABEL_LOAN: text_of(loan)}} | said))


def seen(services, tasks, *nodes, **fields):
    nodes = nodes or (leaver(), worker(2), worker(3))
    return view(*nodes, **({"work": Work.of(services, tasks), "tokens": QUIET} | fields))


def changes(known, at=NOW, policy=POLICY):
    return list(evacuate(Moment(known, policy, at)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, Manner.START_FIRST),
        ({"mode": "global"}, Manner.STOP_FIRST),
        ({"mode": "global", "labels": {"spotswarm.evacuate": "start-first"}}, Manner.STOP_FIRST),
        ({"mode": "replicated-job"}, Manner.NEVER),
        ({"mode": "global-job", "labels": {"spotswarm.evacuate": "stop-first"}}, Manner.NEVER),
        ({"mode": "replicated-job", "labels": {"spotswarm.evacuate": "never"}}, Manner.NEVER),
        ({"has_host_ports": True}, Manner.STOP_FIRST),
        ({"has_local_volumes": True}, Manner.STOP_FIRST),
        ({"has_single_node_volumes": True}, Manner.STOP_FIRST),
        (
            {"has_single_node_volumes": True, "labels": {"spotswarm.evacuate": "start-first"}},
            Manner.START_FIRST,
        ),
        (
            {"has_local_volumes": True, "labels": {"spotswarm.evacuate": "start-first"}},
            Manner.START_FIRST,
        ),
        ({"labels": {"spotswarm.evacuate": "stop-first"}}, Manner.STOP_FIRST),
        ({"labels": {"spotswarm.evacuate": "never"}}, Manner.NEVER),
        ({"labels": {"spotswarm.evacuate": "sometimes"}}, Manner.START_FIRST),
    ],
)
def test_how_a_service_is_moved_is_its_own_word_or_what_is_sensible(said, expected):
    assert manner(service(**said)) is expected


def test_a_service_is_kept_from_the_leaving_node_and_nothing_else_is_changed():
    one = service(constraints=("node.role==worker",), update={"Delay": 5}, labels={"a": "b"})

    (change,) = changes(seen([one], [task("t-1"), task("t-2", on="n-2", slot=2)]))

    assert change.constraints == ("node.role==worker", "node.id!=n-1")
    assert (change.replicas, change.version) == (2, 1)
    assert change.update["Order"] == "start-first"
    assert change.update["FailureAction"] == "pause"
    loan = loan_of(replace(one, labels={LABEL_LOAN: change.label}))
    assert (loan.purpose, loan.own_update) == ("evacuate", {"Delay": 5})
    assert "1 of 2 tasks of web run on ip-10-0-0-1" in change.reason


def test_nothing_is_borrowed_before_the_tasks_are_known():
    assert changes(seen([], [], work=None)) == []


@pytest.mark.parametrize(
    "said",
    [
        {"desired": "shutdown"},
        {"state": "failed"},
        {"on": "n-2"},
        {"of": "a service that is gone"},
    ],
)
def test_a_task_that_is_ending_or_elsewhere_moves_nothing(said):
    assert changes(seen([service()], [task("t-1", **said)])) == []


def test_what_stops_first_is_left_to_swarms_drain():
    assert changes(seen([service(mode="global")], [task("t-1")])) == []


def test_a_node_that_is_drained_already_needs_no_constraint():
    drained = leaver(availability=Availability.DRAIN)

    assert changes(seen([service()], [task("t-1")], drained, worker(2))) == []


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started", "rollback_paused"])
def test_a_service_in_an_update_of_its_own_is_not_touched(state):
    assert changes(seen([service(update_state=state)], [task("t-1")])) == []


@pytest.mark.parametrize("state", ["", "completed", "rollback_completed"])
def test_a_service_whose_update_is_over_is_moved(state):
    assert len(changes(seen([service(update_state=state)], [task("t-1")]))) == 1


def test_what_has_least_else_running_goes_first():
    many = [service("a", replicas=9), service("b", replicas=1), service("c", replicas=4)]
    tasks = [task(f"t-{one.name}", one.name) for one in many]

    assert [change.name for change in changes(seen(many, tasks))] == ["b", "c", "a"]


def test_so_many_tasks_move_at_once_and_a_large_service_moves_alone():
    policy = replace(POLICY, moves_at_once=3)
    many = [service("a", replicas=2), service("b", replicas=3), service("c", replicas=4)]
    tasks = [
        task(f"{one.name}-{slot}", one.name, slot=slot)
        for one in many
        for slot in range(one.replicas)
    ]

    assert [change.name for change in changes(seen(many, tasks), policy=policy)] == ["a"]
    huge = seen(many[2:], tasks)
    assert [change.name for change in changes(huge, policy=policy)] == ["c"]


def test_tasks_that_move_already_count():
    policy = replace(POLICY, moves_at_once=2)
    moving = lent(replicas=2)
    tasks = [task("t-1"), task("t-2", slot=2), task("t-3", "api")]

    assert changes(seen([moving, service("api", replicas=3)], tasks), policy=policy) == []


# A second node


def test_a_second_node_joins_the_loan_of_the_first():
    (change,) = changes(
        seen([lent()], [task("t-1"), task("t-2", on="n-2", slot=2)], leaver(), leaver(2), worker(3))
    )

    assert set(change.constraints) == {"node.id!=n-1", "node.id!=n-2"}
    assert "ip-10-0-0-1, ip-10-0-0-2" in change.reason


def test_a_node_that_is_gone_is_left_out_when_another_joins():
    away = replace(AWAY, away_from=("n-9", "n-1"))
    (change,) = changes(seen([lent(away)], [task("t-2", on="n-2")], leaver(), leaver(2), worker(3)))

    assert change.constraints[-2:] == ("node.id!=n-1", "node.id!=n-2")


def test_a_second_node_waits_for_a_slow_replacement_while_it_has_time_itself():
    tasks = [
        task("t-1"),
        task("t-1b", on="n-3", state="starting"),
        task("t-2", on="n-2", slot=2),
    ]
    deadline = (NOW + 120 * SECOND).isoformat()
    second = leaver(2, labels={"spotswarm.phase": "leaving", "spotswarm.deadline": deadline})
    known = seen([lent()], tasks, leaver(), second, worker(3))

    # Drained 30 s before its deadline, and 30 s before that its own tasks begin to move.
    assert changes(known, NOW + 59 * SECOND) == []
    assert len(changes(known, NOW + 60 * SECOND)) == 1


def test_a_second_node_waits_while_a_replacement_starts_but_not_for_one_that_hangs():
    tasks = [
        task("t-1"),
        task("t-1b", on="n-3", state="starting", created=NOW),
        task("t-2", on="n-2", slot=2),
    ]
    known = seen([lent()], tasks, leaver(), leaver(2), worker(3))

    assert changes(known, NOW + 29 * SECOND) == []
    assert len(changes(known, NOW + 30 * SECOND)) == 1


def test_a_second_node_waits_for_the_replacement_that_swarm_creates_after_a_failure():
    """It may be on another node, and Swarm would keep it in place of the task that serves."""
    tasks = [
        task("t-1"),
        task("f-1", on="n-3", state="failed", desired="shutdown", created=NOW),
        task("t-2", on="n-2", slot=2),
    ]
    known = seen([lent()], tasks, leaver(), leaver(2), worker(3))

    assert changes(known, NOW + 29 * SECOND) == []
    assert len(changes(known, NOW + 30 * SECOND)) == 1


# Giving back


def test_a_loan_is_kept_while_a_task_is_still_there():
    assert changes(seen([lent()], [task("t-1"), task("t-2", on="n-2")])) == []


def test_a_loan_is_kept_while_its_update_goes_on_and_the_node_leaves():
    assert changes(seen([lent(update_state="updating")], [task("t-2", on="n-2")])) == []


def test_a_loan_is_given_back_when_all_have_moved():
    known = seen([lent(update_state="completed")], [task("t-2", on="n-2")])

    (change,) = changes(known)

    assert (change.constraints, change.label) == ((), None)


def test_a_loan_is_given_back_when_the_node_is_gone():
    known = seen([lent(update_state="updating")], [task("t-2", on="n-2")], worker(2))

    assert changes(known)[0].label is None


def test_when_the_node_stays_the_replacements_go_not_the_tasks_that_serve():
    tasks = [task("t-1"), task("t-1b", on="n-3", state="starting")]
    back = worker(1, availability=Availability.PAUSE, labels={"spotswarm.phase": "returning"})

    (change,) = changes(seen([lent()], tasks, back, worker(2), worker(3)))

    assert change.constraints == ("node.id!=n-3",)
    assert not change.is_failure
    onwards = lent(replace(AWAY, away_from=("n-3",), constraints=("node.id!=n-3",)))
    assert changes(seen([onwards], tasks, back, worker(2), worker(3))) == []


def test_replacements_beside_tasks_that_serve_are_chased_once_in_an_hour():
    tasks = [
        task("t-1"),
        task("t-1b", on="n-3", state="starting"),
        task("t-2", on="n-3", slot=2),
    ]
    back = worker(1, availability=Availability.PAUSE, labels={"spotswarm.phase": "returning"})
    known = seen([lent()], tasks, back, worker(2), worker(3))

    (change,) = changes(known)
    assert change.is_failure
    after, _ = decide(known, Done("e-1", NOW, change), POLICY)
    stuck = replace(after, work=known.work)
    assert changes(stuck, NOW + 3599 * SECOND) == []
    assert len(changes(stuck, NOW + 3600 * SECOND)) == 1


def test_tasks_of_its_owners_own_update_are_not_taken_for_replacements_that_hang():
    tasks = [
        task("t-2", on="n-2"),
        task("t-2b", on="n-3", state="starting"),
        task("t-3", on="n-3", slot=2),
    ]
    ours = replace(AWAY, template="a")

    for state in ("updating", "paused"):
        his = lent(ours, template="b", update_state=state)
        assert changes(seen([his], tasks, worker(2), worker(3))) == []
        mine = replace(his, template="a")
        assert len(changes(seen([mine], tasks, worker(2), worker(3)))) == 1


def test_a_second_node_does_not_join_while_its_owner_updates_the_service():
    his = lent(replace(AWAY, template="a"), template="b", update_state="updating")
    known = seen([his], [task("t-1", on="n-2")], leaver(), leaver(2), worker(3))

    assert changes(known) == []


def test_a_task_on_a_drained_node_does_not_count_as_serving():
    drained = leaver(availability=Availability.DRAIN)
    tasks = [task("t-1"), task("t-1b", on="n-3", state="starting")]

    (change,) = changes(seen([lent()], tasks, drained, worker(2), worker(3)))

    assert change.label is None


def test_a_spreading_loan_becomes_one_of_leaving_and_is_handed_on():
    spread = Loan("rebalance", NOW, own_replicas=2, lent_replicas=3)
    one = lent(spread, replicas=3)

    (change,) = changes(seen([one], [task("t-1")]))

    held = replace(one, constraints=change.constraints, labels={LABEL_LOAN: change.label})
    loan = loan_of(held)
    assert (loan.purpose, loan.own_replicas, loan.lent_replicas) == ("evacuate", 2, 3)
    (back,) = changes(seen([held], [task("t-1", on="n-2")]))
    assert back.replicas == 3
    assert loan_of(replace(one, labels={LABEL_LOAN: back.label})) == spread


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started"])
def test_a_service_in_an_update_of_its_own_is_not_touched_while_it_is_spread(state):
    spread = Loan("rebalance", NOW, own_replicas=2, lent_replicas=3)

    assert changes(seen([lent(spread, replicas=3, update_state=state)], [task("t-1")])) == []


def test_a_loan_that_cannot_be_read_is_lent_anew():
    spoilt = service(labels={LABEL_LOAN: "spoilt"})

    (change,) = changes(seen([spoilt], [task("t-1")]))

    assert loan_of(replace(spoilt, labels={LABEL_LOAN: change.label})).away_from == ("n-1",)
    assert changes(seen([spoilt], [task("t-1", on="n-2")])) == []


# Through decide


def test_after_a_change_the_tasks_are_not_known_until_a_newer_list():
    known = seen([service()], [task("t-1")])
    (change,) = changes(known)
    for ended in (
        Done("e-1", NOW + SECOND, change),
        Failed("e-1", NOW + SECOND, change, "web has changed in the meantime"),
    ):
        after, _ = decide(known, ended, POLICY)
        assert after.work is None
        old = WorkListed("e-2", NOW + 2 * SECOND, (service(),), (task("t-1"),), requested_at=NOW)
        after, _ = decide(after, old, POLICY)
        assert after.work is None
        new = replace(old, requested_at=NOW + SECOND)
        after, _ = decide(after, new, POLICY)
        assert after.work is not None


def test_a_failed_change_is_tried_again_within_seconds():
    known = seen([service()], [task("t-1")])
    (change,) = changes(known)
    for _ in range(9):
        known, _ = decide(known, Failed("e-1", NOW, change, "out of sequence"), POLICY)

    assert known.setbacks["service web"].until == NOW + 4 * SECOND


def test_a_stuck_service_is_moved_off_a_leaving_node_all_the_same():
    stuck = Moves(stuck={"web": Setback(1, NOW + 3600 * SECOND)})

    assert len(changes(seen([service()], [task("t-1")], moves=stuck))) == 1


def test_an_earlier_task_is_no_replacement_of_the_one_that_a_users_update_starts():
    starting = task("t-2", state="preparing", created=NOW + SECOND)
    serving = task("t-1", on="n-2")
    known = seen([service(replicas=1, update_state="updating")], [serving, starting])

    assert to_move(leaver().id, known, known.work) == (starting,)
    assert changes(known) == []
