"""What `spotswarm deploy --json` prints is what commit 1b511bb printed.

A script takes the place of Docker's client: it answers from files.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner
from unchanged_recorded import check

from cli.__main__ import app

CLIENT = """#!/bin/sh
cd "$(dirname "$0")/answers"
case "$1 $2" in
"info --format") cat info ;;
"network ls") printf 'proxy\\nservices\\n' ;;
"secret ls") echo kept ;;
"secret create") cat > /dev/null ;;
"node ls") echo m1 w1 ;;
"service ls") if [ -e deployed ]; then echo web api; fi ;;
"service ps") if [ -e deployed ]; then echo t1 t2; fi ;;
"service logs") printf 'it began\\nit broke\\n' ;;
"inspect --type") cat "$3" ;;
"stack deploy") cat > deployed ;;
esac
"""
STACK = {
    "version": "3.8",
    "x-spotswarm": {"label_a_manager": "data"},
    "services": {
        "web": {
            "image": "web:${VERSION}",
            "networks": ["services"],
            "secrets": ["made", "kept"],
            "deploy": {"placement": {"constraints": ["node.labels.data==true"]}},
        },
        "api": {"image": "api:${VERSION}", "networks": ["services"]},
    },
    "networks": {"services": {"external": True}},
    "secrets": {
        "made": {"external": True, "x-spotswarm": {"generate": 32}},
        "kept": {"external": True},
    },
}
NODE = {
    "Spec": {"Role": "manager", "Availability": "active", "Labels": {}},
    "Description": {"Hostname": "manager-1", "Platform": {"OS": "linux"}},
    "Status": {"State": "ready"},
    "ManagerStatus": {"Leader": True},
}


def service(name: str, update: str) -> dict[str, Any]:
    return {
        "ID": name,
        "Version": {"Index": 7},
        "Spec": {
            "Name": f"services_{name}",
            "Labels": {"com.docker.stack.namespace": "services"},
            "Mode": {"Replicated": {"Replicas": 1}},
            "TaskTemplate": {"ContainerSpec": {"Image": f"{name}:7@sha256:0"}},
        },
        "UpdateStatus": {"State": update},
    }


def task(name: str, of: str, state: str) -> dict[str, Any]:
    return {
        "ID": name,
        "ServiceID": of,
        "NodeID": "w1",
        "CreatedAt": "2026-11-23T20:00:00Z",
        "Spec": {"ContainerSpec": {"Image": f"{of}:7@sha256:0"}},
        "DesiredState": "running" if state == "running" else "shutdown",
        "Status": {"State": state, "Err": "" if state == "running" else "no such image"},
    }


@pytest.fixture
def client(tmp_path: Path, monkeypatch: Any) -> Path:
    """Where the answers are."""
    answers = tmp_path / "answers"
    answers.mkdir()
    docker = tmp_path / "docker"
    docker.write_text(CLIENT)
    docker.chmod(0o755)
    worker = {
        "ID": "w1",
        "Spec": {"Role": "worker", "Availability": "active"},
        "Description": {"Hostname": "worker-1"},
        "Status": {"State": "ready"},
    }
    files = {
        "info": {"Name": "manager-1", "Swarm": {"ControlAvailable": True}},
        "node": [NODE | {"ID": "m1"}, worker],
        "service": [service("web", "paused"), service("api", "completed")],
        "task": [task("t1", "web", "rejected"), task("t2", "api", "running")],
    }
    for name, content in files.items():
        (answers / name).write_text(json.dumps(content))
    (tmp_path / "services.yml").write_text(yaml.safe_dump(STACK, sort_keys=False))
    (tmp_path / "env").write_text("VERSION=7\nDOMAIN=localhost\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return answers


def test_how_a_stack_is_deployed(client: Path, tmp_path: Path) -> None:
    place = [f"--env-file={tmp_path}/env", f"--directory={tmp_path}", "--json"]
    steps = []
    for options in (["--dry-run"], ["--no-wait"], []):
        (client / "deployed").unlink(missing_ok=True)
        done = CliRunner().invoke(app, ["deploy", "services", *place, *options])
        printed = json.loads(done.stdout)
        assert done.stdout == json.dumps(printed, indent=2) + "\n"
        steps.append({"typed": options, "code": done.exit_code, "printed": printed})

    check("deploy", steps)
