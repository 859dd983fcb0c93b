"""What the command sends to an engine that is newer than the host's, through Docker's client."""

import pytest

from cli.edges.docker_cli import Docker

CLIENT = """#!/bin/sh
case $1 in
version) echo '{version}' ;;
system) cat > "$0.request"; printf 'HTTP/1.1 200 OK\\r\\n\\r\\n' ;;
esac
"""


@pytest.mark.parametrize(
    ("version", "used"), [("1.52", "1.52"), ("1.41", "1.41"), ("<no value>", "1.41")]
)
def test_a_spec_is_restored_with_the_api_version_that_client_and_engine_use(
    monkeypatch, tmp_path, version, used
):
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(version=version))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    Docker().restore({"Spec": {"Name": "web"}}, {"ID": "abc", "Version": {"Index": 7}})
    request = (tmp_path / "docker.request").read_text()
    assert request.startswith(f"POST /v{used}/services/abc/update?version=7 HTTP/1.1\n")
    assert request.endswith('{"Name": "web"}')
