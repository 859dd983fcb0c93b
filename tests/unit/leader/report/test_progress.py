import json
from dataclasses import replace

import pytest
from builders import NOW, POLICY, SECOND, manager_node, view
from swarm_model import service, task, worker

from leader.moving.loan import Loan, text_of
from leader.report.progress import leaving, named
from leader.view.model import Moves, Setback, Wish
from leader.view.notices import Listener, Market
from leader.view.terms import Leaving, Then
from leader.view.work import Work
from wire.labels import DRAINED, HINTED, LABEL_WAS, RETURNING
from wire.messages import Availability, Role

LABELS = Leaving("operator", NOW - 10 * SECOND, NOW + 90 * SECOND, Then.STAY).labels()
GOING = worker(1, labels=LABELS, availability=Availability.PAUSE)
EMPTIED = replace(GOING, availability=Availability.DRAIN)
FOR_GOOD = replace(
    EMPTIED, labels=EMPTIED.labels | {"spotswarm.then": "terminate", "spotswarm.why": "x"}
)
LENT = service(labels={"spotswarm.loan": text_of(Loan("evacuate", NOW, away_from=("n-1",)))})


def phased(phase, **labels):
    return replace(EMPTIED, labels=EMPTIED.labels | {"spotswarm.phase": phase} | labels)


def rows(*nodes, services=(), tasks=(), at=NOW, **said):
    seen = view(*nodes, **({"work": Work.of(services, tasks)} | said))
    found = leaving(seen, POLICY, at)
    json.dumps(found)
    return found


def test_members_and_joining_nodes_have_no_row():
    assert not rows(worker(1), worker(2, labels={"spotswarm.phase": "joining"}))


def test_a_row_tells_which_node_why_and_how_much_time_is_left():
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
    ("node", "said", "stage", "words"),
    [
        (phased(HINTED), {}, "hinted", "another worker in its place, or 20:01:30 UTC"),
        (GOING, {}, "evacuating", "Swarm's drain"),
        (GOING, {"work": None}, "evacuating", "a list of its tasks"),
        (EMPTIED, {"work": None}, "draining", "a list of its tasks"),
        (EMPTIED, {}, "draining", "to note that it is empty"),
        (FOR_GOOD, {}, "leaving", "its agent to ask"),
        (replace(FOR_GOOD, status="down"), {}, "leaving", "its entry to be removed"),
        (FOR_GOOD, {"market": Market(left={"i-1": NOW})}, "leaving", "its entry"),
        (
            FOR_GOOD,
            {"market": Market(ordered={"i-1": (NOW, NOW)})},
            "leaving",
            "its agent to leave",
        ),
        (
            FOR_GOOD,
            {"market": Market(listeners={"i-1": Listener("", "", 0, NOW)})},
            "leaving",
            "the leader to tell it",
        ),
        (phased(DRAINED), {}, "drained", "spotswarm return ip-10-0-0-1"),
        (phased(RETURNING), {}, "returning", "to activate it"),
        (phased(RETURNING), {"work": None}, "returning", "a list of services"),
        (phased(RETURNING), {"work": Work.of([LENT], [])}, "returning", "web to be let back"),
        (phased(RETURNING, **{LABEL_WAS: "manager"}), {}, "returning", "its promotion"),
        (replace(GOING, availability=Availability.ACTIVE), {}, "returning", "to activate it"),
        (replace(GOING, role=Role.MANAGER), {}, "evacuating", "which may not be: ip-10-0-0-1 is"),
        (
            phased(DRAINED),
            {"moves": Moves(wishes={"n-1": Wish("return", NOW)})},
            "returning",
            "the leader to begin",
        ),
        (
            worker(1),
            {"moves": Moves(wishes={"n-1": Wish("drain", NOW, SECOND)})},
            "evacuating",
            "the leader to pause it",
        ),
    ],
)
def test_every_stage_says_what_it_waits_for(node, said, stage, words):
    (row,) = rows(node, **said)

    assert row["stage"] == stage
    assert words in row["waits_for"]


def test_a_manager_that_may_be_demoted_waits_for_just_that():
    others = [manager_node(f"n-{number}") for number in (7, 8)]

    (row,) = rows(replace(GOING, role=Role.MANAGER), *others)

    assert row["waits_for"] == "its demotion"


def test_tasks_are_told_with_how_they_go_and_whether_another_serves():
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

    assert [(one["name"], one["manner"], one["replaced"]) for one in row["tasks"]] == [
        ("batch.1", "never", False),
        ("db.1", "stop-first", False),
        ("web.1", "start-first", True),
        ("web.2", "start-first", False),
    ]
    assert row["waits_for"] == "web.2 to be up elsewhere"


def test_what_runs_to_its_end_is_waited_for_last():
    batch = service("batch", labels={"spotswarm.evacuate": "never"})

    (row,) = rows(GOING, services=[batch], tasks=[task("e", of="batch")])

    assert row["waits_for"] == "batch.1 to end"


def test_a_step_that_fails_is_told():
    (row,) = rows(GOING, setbacks={"node n-1": Setback(3, NOW)})

    assert "failed 3x: spotswarm explain ip-10-0-0-1" in row["waits_for"]


def test_the_node_with_the_least_time_comes_first_and_the_drained_last():
    late = replace(GOING, id="n-2", hostname="late")
    soon = replace(
        GOING, id="n-3", hostname="soon", labels=LABELS | {"spotswarm.deadline": NOW.isoformat()}
    )

    found = rows(phased(DRAINED), late, soon)

    assert [row["hostname"] for row in found] == ["soon", "late", "ip-10-0-0-1"]


def test_labels_somebody_spoilt_are_told_as_unknown():
    (row,) = rows(worker(1, labels={"spotswarm.phase": "leaving"}, availability=Availability.PAUSE))

    assert (row["why"], row["deadline"], row["seconds_left"]) == ("unknown", None, 0)


def test_of_many_names_some_are_told():
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
