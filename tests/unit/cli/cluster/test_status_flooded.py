"""A flood of the broker is shown, and makes `spotswarm status` exit with 1 while it lasts."""

import json
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.__main__ import app
from cli.cluster import status, view

ANSWER = {
    "cluster": "demo",
    "stance": "leading",
    "reason": "this manager is the Raft leader",
    "problem": "",
    "identity": "aws",
    "version": "0.1.0",
    "healthy": True,
    "nodes": 1,
    "by_status": {"managers_ready": 1},
    "managers_wanted": 3,
    "joining": 0,
    "grants_outstanding": [],
    "unbound": [],
}
FLOODED = {"flooded": True, "dropped_per_second": 9876.5}


def typed(monkeypatch, answer, *words):
    monkeypatch.setattr(view, "get", lambda _path: answer)
    return CliRunner().invoke(app, ["status", *words])


@pytest.mark.parametrize(
    ("added", "code"),
    [(FLOODED, 1), ({"flooded": False, "dropped_per_second": 3.0}, 0), ({}, 0)],
)
def test_the_exit_code_says_whether_there_is_a_flood(monkeypatch, added, code):
    assert typed(monkeypatch, ANSWER | added).exit_code == code
    as_json = typed(monkeypatch, ANSWER | added, "--json")
    assert as_json.exit_code == code
    assert json.loads(as_json.stdout) == ANSWER | added


def test_the_flood_is_a_sentence_that_names_the_next_step():
    out = StringIO()
    Console(file=out, width=100).print(status.summary(ANSWER | FLOODED))

    text = " ".join(out.getvalue().split())
    assert "flooded: 9876 messages a second are dropped" in text
    assert '"A flood of the broker" in docs/operations.md' in text
    assert all(len(line) <= 100 for line in out.getvalue().splitlines())
