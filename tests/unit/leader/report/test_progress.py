import json
from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, instance, manager_node, view
from swarm_model import service, task, worker

from leader.leaving.stages import named
from leader.moving.loan import Loan, text_of
from leader.report.plans import drain_plan
from leader.report.progress import leaving
from leader.view.model import Moves, Setback, Wish
from leader.view.moment import Moment
from leader.view.notices import Listener, Notices
from leader.view.terms import Leaving, Then
from leader.view.work import Work
from wire.labels import DRAINED, HINTED, LABEL_INSTANCE, LABEL_WAS, RETURNING
from wire.messages import Availability, Role

LABELS = Leaving("operator", NOW - 10 * SECOND, NOW + 90 * SECOND, Then.STAY).labels()
GOING = worker(1, labels=LABELS, availability=Availability.PAUSE)
EMPTIED = replace(GOING, availability=Availability.DRAIN)
FOR_GOOD = replace(
    EMPTIED, labels=EMPTIED.labels | {"spotswarm.then": "terminate", "spotswarm.why": "x"}
)
FOR_AWS = replace(FOR_GOOD, labels=FOR_GOOD.labels | {"spotswarm.then": "aws"})
RUNNING = {"instances": {"i-1": instance("i-1")}}
LATE = NOW + 80 * SECOND
"""Past `drain_by` and `leave_by` of the labels above."""
LENT = service(labels={"spotswarm.loan": text_of(Loan("evacuate", NOW, away_from=("n-1",)))})


def phased(phase, **labels):
    return replace(EMPTIED, labels=EMPTIED.labels | {"spotswarm.phase": phase} | labels)


def rows(*nodes, services=(), tasks=(), at=NOW, **fields):
    seen = view(*nodes, **({"work": Work.of(services, tasks)} | fields))
    answer = leaving(Moment(seen, POLICY, at))
    json.dumps(answer)
    return answer


def test_ordinary_and_joining_nodes_have_no_row():
    assert not rows(worker(1), worker(2, labels={"spotswarm.phase": "joining"}))


def test_a_row_says_which_node_leaves_why_and_how_much_time_is_left():
    (row,) = rows(GOING, at=NOW + 50 * SECOND)

    assert (row["hostname"], row["instance"], row["why"], row["then"]) == (
        "ip-10-0-0-1",
        "i-1",
        "operator",
        "stay",
    )
    assert (row["seconds_left"], row["drain_in"], row["leave_in"]) == (40.0, 10.0, 25.0)
    assert rows(GOING, at=NOW + 100 * SECOND)[0]["seconds_left"] == 0


@pytest.mark.parametrize(
    ("node", "fields", "stage", "words"),
    [
        (phased(HINTED), {}, "hinted", "a replacement worker, until 20:01:30 UTC"),
        (GOING, {}, "evacuating", "Swarm's drain"),
        (GOING, {"work": None}, "evacuating", "a list of the node's tasks"),
        (EMPTIED, {"work": None}, "draining", "a list of the node's tasks"),
        (EMPTIED, {}, "draining", "to mark the node as drained"),
        (FOR_GOOD, {}, "leaving", "Swarm to notice that the node's instance is gone"),
        (FOR_GOOD, RUNNING, "leaving", "the leader to terminate the node's instance"),
        (FOR_AWS, RUNNING, "leaving", "AWS to stop or hibernate the instance"),
        (replace(FOR_GOOD, status="down"), {}, "leaving", "the leader to remove the node"),
        (FOR_GOOD, {"notices": Notices(departed={"i-1": NOW})}, "leaving", "remove the node"),
        (
            FOR_GOOD,
            {"notices": Notices(ordered={"i-1": (NOW, NOW)})},
            "leaving",
            "the node's agent to leave",
        ),
        (
            FOR_GOOD,
            {"notices": Notices(listeners={"i-1": Listener("", "", 0, NOW + SECOND)})},
            "leaving",
            "the leader to tell the node's agent to leave",
        ),
        (
            FOR_GOOD,
            {"notices": Notices(listeners={"i-1": Listener("", "", 0, NOW)})},
            "leaving",
            "the node's agent to ask again",
        ),
        (phased(DRAINED), {}, "drained", "spotswarm return ip-10-0-0-1"),
        (phased(RETURNING), {}, "returning", "the node's activation"),
        (phased(RETURNING), {"work": None}, "returning", "a list of services"),
        (
            phased(RETURNING),
            {"work": Work.of([LENT], [])},
            "returning",
            "the leader to remove the constraints of web",
        ),
        (phased(RETURNING, **{LABEL_WAS: "manager"}), {}, "returning", "the node's promotion"),
        (
            replace(GOING, availability=Availability.ACTIVE),
            {},
            "returning",
            "the node's activation",
        ),
        (
            replace(GOING, role=Role.MANAGER),
            {},
            "evacuating",
            "now: ip-10-0-0-1 is the only",
        ),
        (
            phased(DRAINED),
            {"moves": Moves(wishes={"n-1": Wish("return", NOW)})},
            "returning",
            "the leader to start the return",
        ),
        (
            worker(1),
            {"moves": Moves(wishes={"n-1": Wish("drain", NOW, SECOND)})},
            "evacuating",
            "the leader to pause the node",
        ),
    ],
)
def test_every_stage_says_what_it_waits_for(node, fields, stage, words):
    (row,) = rows(node, **fields)

    assert row["stage"] == stage
    assert words in row["waits_for"]


def test_a_node_that_is_down_is_removed_even_if_somebody_set_it_to_active():
    gone = replace(FOR_GOOD, status="down", availability=Availability.ACTIVE)

    (row,) = rows(gone)

    assert (row["stage"], row["waits_for"]) == ("leaving", "the leader to remove the node")


def test_a_former_manager_waits_until_it_is_ready_before_its_promotion():
    (row,) = rows(replace(phased(RETURNING, **{LABEL_WAS: "manager"}), status="down"))

    assert row["stage"] == "returning"
    assert "the node to be Ready" in row["waits_for"]


def test_a_node_that_aws_interrupts_does_not_return_although_the_operator_wants_it():
    wishes = Moves(wishes={"n-1": Wish("return", NOW)})

    (row,) = rows(FOR_GOOD, moves=wishes, **RUNNING)

    assert row["stage"] == "leaving"


def test_a_hinted_node_that_is_down_waits_until_it_is_ready():
    (row,) = rows(replace(phased(HINTED), status="down"))

    assert (row["stage"], row["waits_for"]) == ("hinted", "the node to be Ready again")


def test_after_its_time_for_moves_a_node_waits_for_swarms_drain():
    tasks = [task("a", slot=1)]

    (early,) = rows(GOING, services=[service()], tasks=tasks)
    (late,) = rows(GOING, services=[service()], tasks=tasks, at=LATE)

    assert early["waits_for"] == (
        "web.1 to be up elsewhere; web.1 has nowhere to go: no other node takes tasks"
    )
    assert late["waits_for"] == "Swarm's drain"


def test_a_drained_node_leaves_on_time_although_tasks_still_run():
    tasks = [task("a", slot=1, desired="shutdown")]

    (early,) = rows(FOR_GOOD, services=[service()], tasks=tasks, **RUNNING)
    (late,) = rows(FOR_GOOD, services=[service()], tasks=tasks, at=LATE, **RUNNING)

    assert (early["stage"], early["waits_for"]) == ("draining", "web.1 to stop")
    assert (late["stage"], late["waits_for"]) == (
        "draining",
        "the leader to terminate the node's instance",
    )


def test_a_node_without_an_instance_is_left_to_the_operator():
    labels = {key: value for key, value in FOR_GOOD.labels.items() if key != LABEL_INSTANCE}

    (row,) = rows(replace(FOR_GOOD, labels=labels))

    assert "an operator to remove the node" in row["waits_for"]


def test_an_earlier_task_does_not_count_as_a_replacement():
    tasks = [
        task("a", slot=1, state="starting", created=NOW + SECOND),
        task("b", on="n-2", slot=1),
    ]

    (row,) = rows(GOING, worker(2), services=[service()], tasks=tasks)

    assert [shown["replaced"] for shown in row["tasks"]] == [False]
    assert row["waits_for"] == "web.1 to be up elsewhere"


def test_a_manager_that_can_be_demoted_waits_only_for_that():
    others = [manager_node(f"n-{number}") for number in (7, 8)]

    (row,) = rows(replace(GOING, role=Role.MANAGER), *others)

    assert row["waits_for"] == "the node's demotion"


def test_each_task_shows_how_it_leaves_and_whether_a_replacement_serves():
    kinds = [
        service(),
        service("db", has_local_volumes=True),
        service("batch", labels={"spotswarm.evacuate": "never"}),
    ]
    tasks = [
        task("a", slot=1),
        task("b", on="n-2", slot=1),
        task("c", slot=2),
        task("d", of="db"),
        task("e", of="batch"),
        task("f", slot=3, state="shutdown", desired="shutdown"),
    ]

    (row,) = rows(GOING, worker(2), services=kinds, tasks=tasks)

    assert [(shown["name"], shown["manner"], shown["replaced"]) for shown in row["tasks"]] == [
        ("batch.1", "never", False),
        ("db.1", "stop-first", False),
        ("web.1", "start-first", True),
        ("web.2", "start-first", False),
    ]
    assert row["waits_for"] == "web.2 to be up elsewhere"


def test_a_node_waits_last_for_tasks_that_end_by_themselves():
    batch = service("batch", labels={"spotswarm.evacuate": "never"})

    (row,) = rows(GOING, services=[batch], tasks=[task("e", of="batch")])

    assert row["waits_for"] == "batch.1 to end"


def test_a_row_says_that_the_last_step_failed():
    (row,) = rows(GOING, setbacks={"node n-1": Setback(3, NOW)})

    assert "failed 3 times, run `spotswarm explain ip-10-0-0-1`" in row["waits_for"]


def test_the_node_with_the_least_time_comes_first_and_the_drained_last():
    late = replace(GOING, id="n-2", hostname="late")
    soon = replace(
        GOING, id="n-3", hostname="soon", labels=LABELS | {"spotswarm.deadline": NOW.isoformat()}
    )

    ordered = rows(phased(DRAINED), late, soon)

    assert [row["hostname"] for row in ordered] == ["soon", "late", "ip-10-0-0-1"]


def test_damaged_labels_are_shown_as_unknown():
    (row,) = rows(worker(1, labels={"spotswarm.phase": "leaving"}, availability=Availability.PAUSE))

    assert (row["why"], row["deadline"], row["seconds_left"]) == ("unknown", None, 0)


def test_only_the_first_names_are_shown():
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_node_says_which_tasks_have_nowhere_to_go_as_the_plan_did():
    ml = service("ml", generic={"gpu": 1})
    tasks = [task("a", of="ml"), task("b", slot=2)]

    (row,) = rows(GOING, worker(2), services=[ml, service()], tasks=tasks)

    assert row["stranded"] == ["ml.1 has nowhere to go: no other node has a gpu"]
    assert row["waits_for"] == f"ml.1, web.2 to be up elsewhere; {row['stranded'][0]}"


def test_a_node_says_that_a_replacement_has_no_address():
    tasks = [task("a"), task("b", on=None, state="new")]

    (early,) = rows(GOING, worker(2), services=[service()], tasks=tasks)
    (late,) = rows(GOING, worker(2), services=[service()], tasks=tasks, at=NOW + 5 * SECOND)

    assert early["waits_for"] == "web.1 to be up elsewhere"
    assert "; the replacement of web.1 has no address" in late["waits_for"]


def test_the_tasks_of_jobs_run_and_are_shown_as_jobs():
    job = service("job", mode="replicated-job")

    (row,) = rows(EMPTIED, services=[job], tasks=[task("a", of="job", desired="complete")])

    (shown,) = row["tasks"]
    assert (shown["is_wanted"], shown["manner"], shown["is_job"]) == (True, "never", True)
    assert row["waits_for"] == "job.1 to end"


def test_a_leaving_node_and_the_plan_of_its_drain_tell_the_same_of_tasks_with_no_way_out():
    """B2: `leaving` said that a task would be up elsewhere where `drain` said that it could not."""
    tasks, services = [task("a", slot=1)], [service()]
    plan = drain_plan(
        Moment(view(worker(1), work=Work.of(services, tasks)), POLICY, NOW), "n-1", 90 * SECOND
    )

    (row,) = rows(GOING, services=services, tasks=tasks)

    assert row["stranded"] == list(plan.warnings)
    assert row["stranded"] == ["web.1 has nowhere to go: no other node takes tasks"]
    assert row["waits_for"].endswith(f"; {plan.warnings[0]}")


def test_what_can_go_elsewhere_or_has_gone_is_not_called_stranded():
    tasks = [task("a", slot=1)]
    moved = task("b", slot=1, on="n-2", created=NOW + SECOND)

    (able, *_) = rows(GOING, worker(2), services=[service()], tasks=tasks)
    full = service(most_per_node=1)
    (gone, *_) = rows(GOING, worker(2), services=[full], tasks=[*tasks, moved])

    assert able["stranded"] == []
    assert gone["stranded"] == []
