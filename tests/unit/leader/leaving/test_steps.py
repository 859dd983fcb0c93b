from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOW, POLICY, SECOND, instance, manager_node, node, view
from hypothesis import given
from hypothesis import strategies as st
from randomness import at_most
from swarm_model import Play, Swarm, service, task, worker

from leader.decide import decide, due
from leader.leaving.emptying import why_not_demoted
from leader.leaving.stages import start_leaving
from leader.leaving.steps import depart
from leader.moving.loan import Loan, text_of
from leader.view.actions import (
    ActivateNode,
    DemoteNode,
    DrainNode,
    OrderLeave,
    PauseNode,
    PromoteNode,
    Refuse,
    RemoveNode,
    SettleNode,
    TerminateInstance,
)
from leader.view.events import Done, Failed, InstancesListed, NodesListed, Ticked
from leader.view.model import Outstanding, Tokens
from leader.view.moment import Moment
from leader.view.notices import Listener, Notices
from leader.view.terms import Leaving, Then, drain_by, leave_by, leaving_of
from leader.view.work import Work
from wire.messages import Availability, Role

DEADLINE = NOW + 120 * SECOND
TO_END = Leaving("interruption", NOW, DEADLINE, Then.TERMINATE)
TO_STAY = Leaving("operator", NOW, DEADLINE, Then.STAY)
LISTENER = Listener("reply", "key", 0, NOW + timedelta(hours=1))
DRAIN_BY, LEAVE_BY = DEADLINE - 30 * SECOND, DEADLINE - 15 * SECOND


def leaver(leaving=TO_END, *, availability=Availability.PAUSE, **fields):
    labels = {"spotswarm.instance": "i-1"} | leaving.labels() | fields.pop("labels", {})
    return node("n-1", availability=availability, labels=labels, **fields)


def drained(leaving=TO_END, **fields):
    return leaver(leaving, availability=Availability.DRAIN, **fields)


def seen(*nodes, services=(), tasks=(), **fields):
    kept = {
        "instances": {"i-1": instance("i-1")},
        "instances_at": NOW,
        "tokens": Tokens(worker_rotated=NOW),
        "work": Work.of(services, tasks),
    }
    return view(*nodes, worker(2), **(kept | fields))


def steps(known, at=NOW):
    return list(depart(Moment(known, POLICY, at)))


def step(known, at=NOW):
    (action,) = steps(known, at)
    return action


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
    assert "web.1 could not end in time" in action.reason


def test_a_drained_and_empty_node_of_the_operators_is_settled_once():
    known = seen(drained(TO_STAY))
    action = step(known)

    assert isinstance(action, SettleNode)
    assert "it is empty" in action.reason
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


def returner(**fields):
    return node(
        "n-1",
        availability=Availability.PAUSE,
        labels={"spotswarm.phase": "returning", **fields.pop("labels", {})},
        **fields,
    )


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


# Managers

LEADER = manager_node("n-8", is_leader=True)


def leaving_manager(**fields):
    return replace(
        manager_node("n-1", availability=Availability.PAUSE, labels=TO_STAY.labels()), **fields
    )


def test_a_manager_is_demoted_before_anything_else():
    known = seen(leaving_manager(), LEADER, manager_node("n-7"))

    assert isinstance(step(known), DemoteNode)


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([], "the only manager"),
        ([manager_node("n-7", status="down")], "only 0 of 1"),
        ([LEADER, manager_node("n-7", reachability="unreachable")], "only 1 of 2"),
        ([LEADER, manager_node("n-7", reachability="unreachable"), manager_node("n-6")], None),
        ([LEADER, manager_node("n-7", status="down"), manager_node("n-6", status="down")], "of 3"),
    ],
)
def test_a_demotion_never_loses_the_majority(others, why):
    leaving = leaving_manager()
    known = seen(leaving, *others)

    hindrance = why_not_demoted(leaving, known)

    assert (hindrance is None) if why is None else (why in hindrance)
    action = step(known)
    assert isinstance(action, DemoteNode if why is None else Refuse)


@at_most(60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ready", "down"]), st.sampled_from(["reachable", "unreachable"])
        ),
        max_size=6,
    )
)
def test_after_any_demotion_more_than_half_of_the_managers_answer(states):
    others = [
        manager_node(f"n-{number}", status=status, reachability=reachability)
        for number, (status, reachability) in enumerate(states, 20)
    ]
    leaving = leaving_manager()

    for action in steps(seen(leaving, *others)):
        answer = [one for one in states if one == ("ready", "reachable")]
        if isinstance(action, DemoteNode):
            assert 2 * len(answer) > len(states)


def test_one_manager_changes_at_a_time():
    joining = Outstanding(instance("i-5"), Role.MANAGER, "key", DEADLINE)
    known = seen(leaving_manager(), LEADER, manager_node("n-7"), outstanding={"i-5": joining})

    action = step(known)

    assert isinstance(action, Refuse)
    assert "only one may change at a time" in action.reason


def test_of_two_managers_that_leave_only_one_is_demoted_at_a_time():
    second = replace(leaving_manager(), id="n-3", hostname="second")
    lost = manager_node("n-6", status="down", reachability="unreachable")
    known = seen(leaving_manager(), second, LEADER, lost)

    known, actions = decide(known, Ticked("e-1", NOW), POLICY)
    (first,) = (one for one in actions if isinstance(one, DemoteNode))
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]

    known, _ = decide(known, Done("e-2", NOW, first), POLICY)
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]
    assert "majority" in next(one for one in steps(known) if isinstance(one, Refuse)).reason


def test_no_manager_is_demoted_while_another_becomes_one_again():
    was = {"spotswarm.was": "manager", "spotswarm.phase": "returning"}
    back = node("n-3", availability=Availability.PAUSE, labels=was)
    known = seen(leaving_manager(), back, LEADER, manager_node("n-7"))

    (only,) = steps(known)
    assert isinstance(only, DemoteNode | PromoteNode)
    known = replace(known, in_flight=frozenset({"node n-3"}))
    assert not [one for one in steps(known) if isinstance(one, DemoteNode)]


def test_a_refusal_to_demote_is_said_once_in_ten_minutes():
    known = seen(leaving_manager())
    known, actions = decide(known, Ticked("e-1", NOW), POLICY)
    (refusal,) = (one for one in actions if isinstance(one, Refuse))
    known, _ = decide(known, Done("e-2", NOW, refusal), POLICY)

    def refusals(at):
        fresh = replace(known, nodes_at=at, instances_at=at)
        return [action for action in due(Moment(fresh, POLICY, at)) if isinstance(action, Refuse)]

    assert refusals(NOW + timedelta(minutes=9)) == []
    assert len(refusals(NOW + timedelta(minutes=10))) == 1


# Pausing, and failures


def test_only_a_manager_that_stays_is_remembered_as_one():
    said = {"reason": "x"}

    assert start_leaving(LEADER, TO_STAY, **said).labels["spotswarm.was"] == "manager"
    assert "spotswarm.was" not in start_leaving(LEADER, TO_END, **said).labels
    assert "spotswarm.was" not in start_leaving(worker(1), TO_STAY, **said).labels


def test_a_node_that_was_drained_stays_drained_when_it_begins_to_leave():
    assert start_leaving(drained(), TO_END, reason="x").is_drained
    action = start_leaving(drained(), TO_END, reason="x")
    after, _ = decide(seen(drained()), Done("e-1", NOW, action), POLICY)
    assert after.nodes["n-1"].availability is Availability.DRAIN


def test_what_fails_while_a_node_leaves_is_tried_again_within_seconds():
    known = seen(leaver())
    at = NOW
    for _ in range(12):
        known, actions = decide(known, Ticked("e-1", at), POLICY)
        (drain,) = (one for one in actions if isinstance(one, DrainNode))
        known, _ = decide(known, Failed("e-2", at, drain, "no"), POLICY)
        at += 4 * SECOND
        known = replace(known, nodes_at=at, instances_at=at)


def test_a_pause_that_fails_is_tried_again_within_seconds():
    action = start_leaving(worker(1), TO_END, reason="x")
    known = seen(worker(1))
    for _ in range(12):
        known, _ = decide(known, Failed("e-1", NOW, action, "no"), POLICY)

    assert known.setbacks[action.subject].until <= NOW + 4 * SECOND


def test_an_old_list_of_nodes_does_not_undo_what_was_done():
    known = seen(worker(1))
    action = start_leaving(worker(1), TO_END, reason="x")
    known, _ = decide(known, Done("e-1", NOW + SECOND, action), POLICY)

    old = NodesListed("e-2", NOW + 2 * SECOND, (worker(1),), requested_at=NOW)
    known, _ = decide(known, old, POLICY)
    assert known.nodes["n-1"].phase == "leaving"

    new = replace(old, requested_at=NOW + 2 * SECOND)
    known, _ = decide(known, new, POLICY)
    assert known.nodes["n-1"].phase == ""


def test_what_is_known_of_an_instance_that_is_gone_is_forgotten():
    notices = Notices(departed={"i-7": NOW}, ordered={"i-7": (NOW, NOW)}, to_terminate={"i-7": "x"})
    known, _ = decide(seen(worker(1), notices=notices), InstancesListed("e-1", NOW, ()), POLICY)

    assert known.notices == Notices()


def test_deciding_again_on_a_leaving_node_gives_nothing_new():
    for known in (seen(leaver()), seen(drained()), seen(drained(TO_STAY)), seen(returner())):
        after, actions = decide(known, Ticked("e-1", NOW), POLICY)
        assert len(actions) == 1
        assert decide(after, Ticked("e-2", NOW), POLICY) == (after, ())


def test_a_paused_nodes_labels_are_written_as_they_are_read():
    action = start_leaving(worker(1), TO_END, reason="x")
    assert isinstance(action, PauseNode)
    after, _ = decide(seen(worker(1)), Done("e-1", NOW, action), POLICY)
    assert leaving_of(after.nodes["n-1"]) == TO_END
