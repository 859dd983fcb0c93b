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
"service logs") printf 'it began\\nit broke\\n' ;;
"stack deploy") cat > deployed ;;
"version --format") echo 1.45 ;;
"system dial-stdio")
    read -r method path version
    printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'
    case "$method $path" in
    *" /v1.45/nodes") cat node ;;
    *"/services?"*) if [ -e deployed ]; then cat service; else echo '[]'; fi ;;
    *"/tasks?"*) if [ -e deployed ]; then cat task; else echo '[]'; fi ;;
    "POST /v1.45/configs/create") touch record; echo '{"ID": "c1"}' ;;
    "GET /v1.45/configs"*) if [ -e record ]; then cat config; else echo '[]'; fi ;;
    "DELETE /v1.45/configs/c1") rm record ;;
    *) echo '[]' ;;
    esac ;;
esac
"""
ADDED = {"waits", "complete", "is_stuck", "causes", "rolled_back_by_swarm", "reasons"}
"""What later versions print besides what commit 1b511bb printed."""
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
        "config": [
            {
                "ID": "c1",
                "Version": {"Index": 1},
                "Spec": {"Name": "spotswarm.deployment.services"},
            }
        ],
    }
    for name, content in files.items():
        (answers / name).write_text(json.dumps(content))
    (tmp_path / "services.yml").write_text(yaml.safe_dump(STACK, sort_keys=False))
    (tmp_path / "env").write_text("VERSION=7\nDOMAIN=localhost\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return answers


def without_added(printed: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in printed.items() if key not in ADDED}
    rows = printed.get("services") or []
    services = [{key: row[key] for key in row if key not in ADDED} for row in rows]
    return kept | ({"services": services} if services else {})


def test_how_a_stack_is_deployed(client: Path, tmp_path: Path) -> None:
    place = [f"--env-file={tmp_path}/env", f"--directory={tmp_path}", "--json"]
    steps = []
    for options in (["--dry-run"], ["--no-wait"], []):
        for state in ("deployed", "record"):
            (client / state).unlink(missing_ok=True)
        done = CliRunner().invoke(app, ["deploy", "services", *place, *options])
        printed = json.loads(done.stdout)
        assert done.stdout == json.dumps(printed, indent=2) + "\n"
        steps.append({"typed": options, "code": done.exit_code, "printed": without_added(printed)})

    check("deploy", steps)
