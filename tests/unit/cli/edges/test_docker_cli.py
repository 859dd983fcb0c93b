"""What the command sends to the engine's API through Docker's client, and how it reads answers."""

import sys
from pathlib import Path

import pytest

from cli.edges.docker_cli import Docker
from cli.edges.engine_api import EngineApi
from runtime.errors import GoneError, RefusedError, UnavailableError

CLIENT = """#!{python}
import pathlib, sys
if sys.argv[1] == "version":
    print("{version}")
else:
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += sys.stdin.buffer.read(1)
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    content = sys.stdin.buffer.read(length)
    pathlib.Path(sys.argv[0] + ".request").write_bytes(head + content)
    sys.stdout.buffer.write(pathlib.Path(sys.argv[0] + ".answer").read_bytes())
"""
EMPTY = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def client(monkeypatch, tmp_path):
    """Docker's client, which reads one request without waiting for the end of its input."""

    def install(answer: bytes, version: str = "1.45") -> Path:
        program = tmp_path / "docker"
        program.write_text(CLIENT.format(python=sys.executable, version=version))
        program.chmod(0o755)
        (tmp_path / "docker.answer").write_bytes(answer)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return tmp_path / "docker.request"

    return install


@pytest.mark.parametrize(
    ("version", "used"), [("1.52", "1.52"), ("1.41", "1.41"), ("<no value>", "1.41")]
)
def test_a_spec_is_restored_with_the_api_version_that_client_and_engine_use(client, version, used):
    request = client(EMPTY, version)
    Docker().restore({"Name": "web"}, {"ID": "abc", "Version": {"Index": 7}})
    sent = request.read_bytes().decode()
    assert sent.startswith(f"POST /v{used}/services/abc/update?version=7 HTTP/1.1\r\n")
    assert sent.endswith('{"Name": "web"}')


def test_services_are_read_without_the_defaults_that_inspect_adds(client):
    request = client(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n")
    assert Docker().services("shop") == []
    path = request.read_bytes().decode().split()[1]
    assert path.startswith("/v1.45/services?filters=")
    assert "insertDefaults" not in path


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        ("500 Internal Server Error", "rpc error: update out of sequence", RefusedError),
        ("404 Not Found", "service abc not found", GoneError),
        ("503 Service Unavailable", "The swarm does not have a leader.", UnavailableError),
        ("500 Internal Server Error", "rpc error: code = Unavailable desc = x", UnavailableError),
    ],
)
def test_an_error_of_the_engine_says_whether_to_try_again(client, status, message, error):
    client(f'HTTP/1.1 {status}\r\n\r\n{{"message": "{message}"}}'.encode())
    with pytest.raises(error, match=message[-12:].replace(".", r"\.")):
        EngineApi().get("/services")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"what",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\n\r\n\xff",
    ],
)
def test_an_answer_that_cannot_be_read_is_an_engine_that_is_away(client, answer):
    client(answer)
    with pytest.raises(UnavailableError):
        EngineApi().get("/services")
