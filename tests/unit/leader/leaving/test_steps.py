from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, instance, node
from hypothesis import given
from hypothesis import strategies as st
from leader_play import Play
from leaving_nodes import (
    DEADLINE,
    DRAIN_BY,
    LEAVE_BY,
    LISTENER,
    TO_END,
    TO_STAY,
    drained,
    leaver,
    returner,
    seen,
    step,
    steps,
)
from randomness import at_most
from swarm_model import Swarm, service, task, worker

from leader.decide import decide
from leader.moving.loan import Loan, text_of
from leader.view.actions import (
    ActivateNode,
    DrainNode,
    OrderLeave,
    PromoteNode,
    RemoveNode,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done
from leader.view.notices import Notices
from leader.view.terms import Then, drain_by, leave_by, leaving_of
from wire.messages import Availability, Role

# Times


@pytest.mark.parametrize(
    ("whole", "drained_before", "left_before"),
    [(120, 30, 15), (90, 30, 15), (60, 24, 12), (20, 8, 4), (0, 0, 0)],
)
def test_a_short_notice_is_shared_out_and_a_long_one_keeps_its_reserves(
    whole, drained_before, left_before
):
    leaving = replace(TO_END, deadline=NOW + whole * SECOND)

    assert leaving.deadline - drain_by(leaving, POLICY) == drained_before * SECOND
    assert leaving.deadline - leave_by(leaving, POLICY) == left_before * SECOND


@at_most(50)
@given(st.integers(0, 10_000))
def test_a_node_is_drained_before_it_has_to_go_and_goes_before_its_deadline(seconds):
    leaving = replace(TO_END, deadline=NOW + seconds * SECOND)

    assert NOW <= drain_by(leaving, POLICY) <= leave_by(leaving, POLICY) <= leaving.deadline


def test_leaving_is_read_back_from_the_labels():
    assert leaving_of(leaver(TO_STAY)) == TO_STAY


@pytest.mark.parametrize("spoilt", ["", "soon", "2026-13-40", "9" * 30, "2026-11-23T20:00:00"])
@pytest.mark.parametrize("label", ["since", "deadline", "then", "why"])
def test_labels_spoilt_by_hand_end_nobody(spoilt, label):
    known = seen(leaver(labels={f"spotswarm.{label}": spoilt}))

    for at in (NOW, DEADLINE):
        assert len(steps(known, at)) <= 1


def test_a_node_with_nothing_but_the_phase_is_emptied_now_and_stays():
    bare = node("n-1", availability=Availability.PAUSE, labels={"spotswarm.phase": "leaving"})

    assert isinstance(step(seen(bare)), DrainNode)
    assert leaving_of(bare).then is Then.STAY


# Draining


def test_a_paused_node_is_drained_as_soon_as_nothing_has_to_move():
    action = step(seen(leaver()))

    assert isinstance(action, DrainNode)
    assert action.unmoved == ()


def test_a_node_whose_tasks_are_not_known_is_not_drained_before_its_time():
    assert steps(seen(leaver(), work=None)) == []
    action = step(seen(leaver(), work=None), DRAIN_BY)
    assert isinstance(action, DrainNode)
    assert "no time left to list" in action.reason


def test_a_node_waits_for_replacements_and_names_who_did_not_move_in_time():
    known = seen(leaver(), services=[service()], tasks=[task("t-1", slot=3)])

    assert steps(known, DRAIN_BY - SECOND) == []
    action = step(known, DRAIN_BY)
    assert action.unmoved == ("web.3",)
    assert "20:02:00 UTC" in action.reason
    assert "web.3" in action.reason


@pytest.mark.parametrize(
    ("said", "is_waited_for"),
    [
        ({"on": "n-2"}, False),
        ({"on": "n-2", "state": "preparing"}, True),
        ({"on": "n-2", "desired": "shutdown"}, True),
        ({"on": "n-2", "slot": 2}, True),
        ({"on": None}, True),
        ({"on": "n-9"}, True),
        ({"on": "n-1"}, True),
    ],
)
def test_a_task_is_replaced_when_another_of_its_slot_serves_elsewhere(said, is_waited_for):
    other = task("t-2", **said)
    known = seen(leaver(), services=[service()], tasks=[task("t-1"), other])

    assert (steps(known) == []) is is_waited_for


def test_what_cannot_be_moved_does_not_hold_a_node_up():
    known = seen(
        leaver(),
        services=[
            service("logs", mode="global"),
            service("job", mode="replicated-job"),
            service("edge", has_host_ports=True),
            service("files", has_local_volumes=True),
            service("db", labels={"spotswarm.evacuate": "stop-first"}),
        ],
        tasks=[task(of, of) for of in ("logs", "job", "edge", "files", "db")]
        + [task("t-9", "a service that is gone")],
    )

    assert isinstance(step(known), DrainNode)


def test_what_must_never_be_moved_runs_until_the_node_has_to_go():
    never = service(labels={"spotswarm.evacuate": "never"})
    known = seen(leaver(), services=[never], tasks=[task("t-1")])

    assert steps(known, LEAVE_BY - SECOND) == []
    assert isinstance(step(known, LEAVE_BY), DrainNode)


# Parting


def test_a_drained_node_waits_until_it_is_empty():
    known = seen(drained(), services=[service()], tasks=[task("t-1", desired="shutdown")])

    assert steps(replace(known, work=None)) == []
    assert steps(known, LEAVE_BY - SECOND) == []


def test_what_still_runs_at_the_end_is_told():
    known = seen(
        drained(),
        services=[service()],
        tasks=[task("t-1", desired="shutdown"), task("t-2", state="shutdown", slot=2)],
        notices=Notices(listeners={"i-1": LISTENER}),
    )

    action = step(known, LEAVE_BY)

    assert isinstance(action, OrderLeave)
    assert action.cut_off == ("web.1",)
    assert "web.1 did not stop in time" in action.reason


def test_a_drained_and_empty_node_of_the_operators_is_settled_once():
    known = seen(drained(TO_STAY))
    action = step(known)

    assert isinstance(action, SettleNode)
    assert "the node is empty" in action.reason
    settled, more = decide(known, Done("e-1", NOW, action), POLICY)
    assert more == ()
    assert steps(settled) == []


def test_a_listening_agent_is_told_to_leave_and_told_again():
    notices = Notices(listeners={"i-1": LISTENER})
    known = seen(drained(), notices=notices)
    assert isinstance(step(known), OrderLeave)

    told = replace(known, notices=replace(notices, ordered={"i-1": (NOW, NOW)}))
    assert steps(told, NOW + 4 * SECOND) == []
    assert isinstance(step(told, NOW + 5 * SECOND), OrderLeave)


def test_it_is_told_again_every_five_seconds_and_not_at_every_look():
    play = Play(Swarm([worker(1), worker(2)], [service()]))
    play.swarm.is_deaf = True

    play.interrupt("i-1")
    play.run(60)

    assert play.kinds().count("OrderLeave") == 4
    assert play.kinds().count("TerminateInstance") == 1


def test_an_agent_that_does_not_leave_is_ended():
    notices = Notices(listeners={"i-1": LISTENER}, ordered={"i-1": (NOW, NOW + 15 * SECOND)})

    assert isinstance(step(seen(drained(), notices=notices), NOW + 20 * SECOND), TerminateInstance)


def test_an_agent_between_two_of_its_questions_is_waited_for():
    notices = Notices(listeners={"i-1": replace(LISTENER, until=NOW - SECOND)})

    assert steps(seen(drained(), notices=notices)) == []


def test_an_instance_nobody_listens_on_is_ended_once():
    known = seen(drained())
    action = step(known)
    assert isinstance(action, TerminateInstance)

    after, more = decide(known, Done("e-1", NOW, action), POLICY)
    assert more == ()
    assert after.instances["i-1"].state == "shutting-down"


def test_an_instance_ec2_does_not_know_is_not_ended_again_and_again():
    assert steps(seen(drained(), instances={})) == []


def test_an_instance_without_the_clusters_tag_is_left_to_its_operator():
    known = seen(drained(), instances={"i-1": instance("i-1", cluster=None)})

    assert steps(known) == []


def test_what_aws_stops_itself_is_left_to_aws():
    assert steps(seen(drained(replace(TO_END, then=Then.AWS)))) == []


def test_a_node_without_an_instance_cannot_be_let_go():
    nobody = replace(drained(), labels=TO_END.labels())

    assert steps(seen(nobody)) == []


def test_who_said_farewell_is_removed_by_force_and_ended():
    known = seen(drained(), notices=Notices(departed={"i-1": NOW}))
    action = step(known)
    assert isinstance(action, RemoveNode)
    assert action.by_force
    assert action.is_departed

    after, more = decide(known, Done("e-1", NOW, action), POLICY)

    (end,) = more
    assert isinstance(end, TerminateInstance)
    assert "has left the swarm (interruption)" in end.reason
    assert after.notices.departed == {}
    assert after.census.removed == ()
    done, more = decide(after, Done("e-2", NOW, end), POLICY)
    assert more == ()
    assert done.notices.to_terminate == {}


def test_a_leaving_node_that_is_down_is_removed():
    assert isinstance(step(seen(leaver(status="down"))), RemoveNode)


def test_an_operators_drained_node_that_is_down_is_not_removed():
    known = seen(drained(TO_STAY, status="down"))

    assert isinstance(step(known), SettleNode)


@pytest.mark.parametrize("then", [Then.AWS, Then.STAY])
def test_only_what_was_to_end_is_ended_when_its_node_is_removed(then):
    known = seen(leaver(replace(TO_END, then=then), status="down"))
    removal = RemoveNode(node="n-1", instance="i-1", is_departed=True, reason="x", cause="y")

    after, _ = decide(known, Done("e-1", NOW, removal), POLICY)

    assert after.notices.to_terminate == {}


def test_a_leaving_node_that_somebody_made_active_takes_tasks_again():
    assert isinstance(step(seen(leaver(availability=Availability.ACTIVE))), ActivateNode)


# Returning


def test_a_node_returns_when_no_loan_names_it():
    loan = text_of(Loan("evacuate", NOW, away_from=("n-1",), constraints=("node.id!=n-1",)))
    lent = service(labels={"spotswarm.loan": loan})

    assert steps(seen(returner(), work=None)) == []
    assert steps(seen(returner(), services=[lent])) == []
    assert isinstance(step(seen(returner(), services=[service()])), ActivateNode)


def test_a_manager_that_was_demoted_is_promoted_before_it_returns():
    was = {"spotswarm.was": "manager"}
    assert isinstance(step(seen(returner(labels=was))), PromoteNode)
    assert isinstance(step(seen(returner(labels=was, role=Role.MANAGER))), ActivateNode)
    # Activated, it would be a worker for good.
    assert steps(seen(returner(labels=was, status="down"))) == []


# Jobs: Swarm's drain does not stop their tasks.

JOB = service("job", mode="replicated-job", labels={"spotswarm.evacuate": "never"})


def job_task(**said):
    return task("t-1", "job", **({"desired": "complete"} | said))


def test_a_job_does_not_delay_a_drain_that_would_not_stop_it():
    for labels in ({}, {"spotswarm.evacuate": "never"}):
        known = seen(leaver(), services=[replace(JOB, labels=labels)], tasks=[job_task()])
        assert isinstance(step(known), DrainNode)


def test_a_drained_node_waits_for_a_job_and_is_then_drained_with_it():
    known = seen(
        drained(TO_STAY),
        services=[JOB, service()],
        tasks=[job_task(), task("t-2", desired="shutdown", slot=2)],
    )
    assert steps(known, LEAVE_BY - SECOND) == []

    action = step(known, LEAVE_BY)

    assert isinstance(action, SettleNode)
    assert action.cut_off == ("web.2",)
    assert "web.2 did not stop in time" in action.reason
    assert "Swarm's drain does not stop jobs, so job.1 may run on" in action.reason


def test_a_job_is_cut_off_when_its_node_leaves_the_swarm():
    notices = Notices(listeners={"i-1": LISTENER})
    known = seen(drained(), services=[JOB], tasks=[job_task()], notices=notices)

    action = step(known, LEAVE_BY)

    assert isinstance(action, OrderLeave)
    assert action.cut_off == ("job.1",)


# Tasks that no other node can take


def test_a_task_that_has_nowhere_to_go_waits_for_a_node_but_not_into_its_grace():
    slow = service(generic={"gpu": 1}, stop_grace=60 * SECOND)
    known = seen(leaver(), services=[slow], tasks=[task("t-1")])
    must_stop = LEAVE_BY - 60 * SECOND
    assert must_stop < DRAIN_BY

    assert steps(known, must_stop - SECOND) == []
    action = step(known, must_stop)

    assert isinstance(action, DrainNode)
    assert action.unmoved == ("web.1",)
    assert "web.1 has nowhere to go: no other node has a gpu" in action.reason


def test_a_task_that_can_still_move_keeps_others_from_being_stopped_early():
    slow = service(generic={"gpu": 1}, stop_grace=60 * SECOND)
    tasks = [task("t-1"), task("t-2", "api")]
    known = seen(leaver(), services=[slow, service("api")], tasks=tasks)

    assert steps(known, DRAIN_BY - SECOND) == []
    assert isinstance(step(known, DRAIN_BY), DrainNode)


def test_with_a_short_grace_a_task_waits_for_a_node_until_the_drain():
    known = seen(leaver(), services=[service(generic={"gpu": 1})], tasks=[task("t-1")])

    assert steps(known, DRAIN_BY - SECOND) == []
    assert isinstance(step(known, DRAIN_BY), DrainNode)
