"""What needs the operator's attention, as `status` and `explain` print it."""

from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.__main__ import app
from cli.cluster import explain, status

REASON = (
    "9 nodes seem to be gone at once: they are Down [not a style]; at most 3 may be removed in"
    " 60 s, so none of them is removed"
)
HEALTHY = {
    "cluster": "demo",
    "stance": "leading",
    "reason": "this engine is the Raft leader",
    "problem": "",
    "nodes": 6,
    "by_status": {"managers_ready": 3},
    "joining": 0,
    "managers_wanted": 3,
    "grants_outstanding": [],
    "unbound": [],
    "healthy": True,
    "identity": "aws",
    "version": "0.1.0",
    "refusals": [],
    "pending_tasks": [],
    "clock_step_seconds": 0.0,
}
PENDING = {
    "service": "storefront-production_web",
    "tasks": 7,
    "wanted": 9,
    "why": "no suitable node (scheduling constraints not satisfied on 3 nodes) [x]",
    "seconds": 130,
}
REFUSED = {"about": "removals (missing)", "reason": REASON, "nodes": ["n-1"], "instances": ["i-1"]}


def shown(renderable):
    out = StringIO()
    Console(file=out, width=100).print(renderable)
    assert max(len(line) for line in out.getvalue().splitlines()) <= 100
    return " ".join(out.getvalue().split())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, 0),
        ({"pending_tasks": [PENDING]}, 1),
        ({"refusals": [REFUSED]}, 1),
        ({"clock_step_seconds": 3600.0}, 0),
        ({"healthy": False}, 1),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_status_ends_with_1_while_something_needs_attention(said, code, options, monkeypatch):
    """B1, B2: it ended with 0 while nothing was removed, and while seven tasks were pending."""
    monkeypatch.setattr("cli.cluster.view.get", lambda _: HEALTHY | said)

    assert CliRunner().invoke(app, ["status", *options]).exit_code == code


def test_status_of_an_older_daemon_is_read_all_the_same(monkeypatch):
    older = {
        key: HEALTHY[key]
        for key in HEALTHY.keys() - {"refusals", "pending_tasks", "clock_step_seconds"}
    }
    monkeypatch.setattr("cli.cluster.view.get", lambda _: older)

    assert CliRunner().invoke(app, ["status"]).exit_code == 0


def test_status_names_what_is_pending_and_what_is_refused_and_why():
    said = shown(status.summary(HEALTHY | {"pending_tasks": [PENDING], "refusals": [REFUSED]}))

    assert "storefront-production_web: 7 of 9 for 130 s: no suitable node" in said
    assert "3 nodes) [x]" in said
    assert "9 nodes seem to be gone at once: they are Down [not a style]" in said


def test_of_many_services_with_pending_tasks_the_first_are_named_and_the_others_counted():
    rows = [PENDING | {"service": f"service-{number}", "wanted": None} for number in range(9)]

    said = shown(status.summary(HEALTHY | {"pending_tasks": rows}))

    assert "service-2: 7 for 130 s" in said
    assert "service-3" not in said
    assert "tasks of 6 more services" in said


@pytest.mark.parametrize(
    ("step", "words"), [(3600.0, "forward by 3600 s"), (-90.0, "back by 90 s")]
)
def test_status_says_that_the_clock_was_set(step, words):
    said = shown(status.summary(HEALTHY | {"clock_step_seconds": step}))

    assert words in said
    assert "systemctl restart spotswarm-leader" in said


def test_explain_shows_refusals_and_what_comes():
    answer = {
        "nodes": [],
        "instances": [],
        "notices": [],
        "joins": [],
        "decisions": [],
        "refusals": [REFUSED],
        "outlook": ["In 830 s, i-1 is terminated unless it joins the swarm"],
    }

    said = shown(explain.explanation(answer))

    assert f"The leader refuses: {REASON[:40]}" in said
    assert "In 830 s, i-1 is terminated unless it joins the swarm." in said
