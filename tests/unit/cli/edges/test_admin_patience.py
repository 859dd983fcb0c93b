"""A command that follows an operation waits for the next leader; every other one says so at once.

The leader daemon is a small server at a real Unix socket, which begins late or answers oddly.
"""

import json
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest
import typer

from cli.cluster import leaving
from cli.edges import admin
from cli.terminal.exits import Exit

ELSEWHERE = (409, {"stance": "standby", "leader": "manager-2", "reason": "manager-2 is the leader"})
NOBODY = (409, {"stance": "standby", "leader": "", "reason": "the swarm has no leader right now"})
STARTING = (409, {"stance": "waiting", "leader": "", "reason": "starting"})
NOT_LISTED = (409, {"stance": "leading", "leader": "manager-1", "reason": "it is the Raft leader"})
LEADS = (200, [{"node": "n-1"}])


class LateLeader:
    """Serves answers in turn at the admin socket, the last one for ever; begins when told to."""

    def __init__(self, path):
        self.path = path
        self.answers = [LEADS]
        self.asked = 0
        self.server = None

    def begin(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, answer = outer.answers[min(outer.asked, len(outer.answers) - 1)]
                outer.asked += 1
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                kind = "text/plain" if isinstance(answer, bytes) else "application/json"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self):
                return "unix"

            def log_message(self, *_):
                pass

        self.server = socketserver.ThreadingUnixStreamServer(str(self.path), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def end(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


@pytest.fixture
def leader(tmp_path, monkeypatch):
    monkeypatch.setattr(admin, "_SOCKET", tmp_path / "admin.sock")
    monkeypatch.setattr(admin, "_RETRY_SECONDS", 0.02)
    late = LateLeader(tmp_path / "admin.sock")
    yield late
    late.end()


def code_of(call):
    with pytest.raises(typer.Exit) as raised:
        call()
    return raised.value.exit_code


def test_a_leader_that_restarts_in_the_middle_of_a_drain_is_waited_for(leader):
    """B6: the command ended with exit code 4 at once, though the drain went on."""
    leader.answers = [STARTING, NOBODY, NOT_LISTED, LEADS]
    threading.Timer(0.2, leader.begin).start()

    assert admin.get("leaving", on_error="the drain continues; ") == LEADS[1]
    assert leader.asked == 4


def test_a_leader_that_moved_to_another_manager_is_said_at_once(leader, capsys):
    leader.answers = [ELSEWHERE]
    leader.begin()
    began = time.monotonic()

    assert code_of(lambda: admin.get("leaving", on_error="it goes on; ")) == Exit.STANDBY
    assert time.monotonic() - began < 10
    assert "it goes on; run this command on manager-2" in " ".join(capsys.readouterr().err.split())


def test_patience_ends(leader, monkeypatch, capsys):
    monkeypatch.setattr(admin, "_PATIENCE_SECONDS", 0.2)

    assert code_of(lambda: admin.get("leaving", on_error="it goes on; ")) == Exit.UNREACHABLE
    assert "it goes on; run this command on a manager" in " ".join(capsys.readouterr().err.split())


def test_a_command_that_follows_nothing_does_not_wait(leader):
    leader.answers = [NOBODY]
    assert code_of(lambda: admin.get("nodes")) == Exit.UNREACHABLE

    leader.begin()
    assert code_of(lambda: admin.get("nodes")) == Exit.STANDBY
    assert leader.asked == 1


def test_an_answer_that_is_not_json_is_not_called_an_absent_leader(leader, capsys):
    """B6: `spotswarm drain ""` said that no leader answers."""
    leader.answers = [(404, b"404: Not Found")]
    leader.begin()

    assert code_of(lambda: admin.get("drain/")) == Exit.UNREACHABLE
    said = " ".join(capsys.readouterr().err.split())
    assert "cannot be read (HTTP status 404)" in said
    assert "no leader daemon" not in said


def test_a_new_leader_that_has_listed_no_nodes_yet_does_not_make_a_node_seem_gone(
    leader, monkeypatch
):
    monkeypatch.setattr(leaving, "POLL_SECONDS", 0.02)
    row = {"node": "n-1", "stage": "evacuating"}
    leader.answers = [(200, []), (200, []), LEADS, (200, [row])]
    leader.begin()

    assert leaving.row_of("n-1", on_error="it goes on; ") == row
    assert leader.asked == 4
