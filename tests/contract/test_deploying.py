"""`spotswarm deploy` with Docker's own client, on a real swarm of two nodes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Eventually = Callable[..., Awaitable[Any]]

REPOSITORY = Path(__file__).parents[2]
IMAGE = "127.0.0.1:1/busybox:1"
NETWORKS = ("proxy", "auth", "services")
RUNS = "trap 'exit 0' TERM; echo up; while :; do /bin/busybox sleep 0.2; done"


def service(script: str = RUNS, **changes: Any) -> dict[str, Any]:
    deploy = {"endpoint_mode": "dnsrr", "update_config": {"order": "start-first"}}
    return {
        "image": IMAGE,
        "entrypoint": ["/bin/sh", "-c", script],
        "networks": ["services"],
        "stop_grace_period": "2s",
        "deploy": deploy | changes.pop("deploy", {}),
    } | changes


class Stage:
    """A directory with a stack file of the test's own, and the command over it."""

    def __init__(self, directory: Path, pair: Any) -> None:
        self.directory, self.pair = directory, pair
        self.env = {"VERSION": "1", "DOMAIN": "localhost"}

    def write(self, services: dict[str, Any], **parts: Any) -> None:
        document = {"version": "3.8", "services": services}
        document["networks"] = {name: {"external": True} for name in NETWORKS}
        (self.directory / "services.yml").write_text(yaml.safe_dump(document | parts))

    async def deploy(
        self, *options: str, which: str = "services", directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        lines = "".join(f"{name}={value}\n" for name, value in self.env.items())
        (self.directory / "env").write_text(lines)
        command = [sys.executable, "-m", "cli", "deploy", which, f"--env-file={self.directory}/env"]
        command += [
            f"--directory={directory or self.directory}",
            "--resolve-image=never",
            "--timeout=60",
            *options,
        ]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "DOCKER_HOST": self.pair.manager.url,
            },
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def docker(self, *command: str) -> str:
        return str(self.pair.manager.docker(*command))

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker("service", "inspect", name))[0]
        return found

    def tasks(self, name: str) -> set[str]:
        return set(self.docker("service", "ps", "--quiet", name).split())


@pytest.fixture
async def stage(pair: Any, tmp_path: Path) -> Any:
    there = pair.manager.docker("network", "ls", "--format", "{{.Name}}").split()
    for name in NETWORKS:
        if name not in there:
            pair.manager.docker("network", "create", "--driver=overlay", name)
    yield Stage(tmp_path, pair)
    await asyncio.to_thread(pair.manager.remove_services)
    for kind in ("secret", "config"):
        if names := pair.manager.docker(kind, "ls", "--quiet").split():
            pair.manager.docker(kind, "rm", *names)


async def test_a_stack_gets_what_it_needs_and_a_second_deployment_changes_nothing(stage: Stage):
    (stage.directory / "settings.txt").write_text("one")
    stage.write(
        {
            "web": service(deploy={"replicas": 2}, secrets=["key", "hook"], configs=["settings"]),
            "store": service(
                deploy={"placement": {"constraints": ["node.labels.spotswarm.data == true"]}}
            ),
            "every": service(deploy={"mode": "global"}),
        },
        secrets={
            "key": {"external": True, "x-spotswarm": {"generate": 16}},
            "hook": {"external": True, "x-spotswarm": {"optional": True}},
        },
        configs={"settings": {"file": "settings.txt"}},
        **{"x-spotswarm": {"label_a_manager": "spotswarm.data"}},
    )

    first = await stage.deploy("--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["outcome"] == "converged"
    assert {one["name"]: (one["running"], one["change"]) for one in told["services"]} == {
        "services_web": (2, "created"),
        "services_store": (1, "created"),
        "services_every": (2, "created"),
    }
    assert stage.docker("secret", "ls", "--format", "{{.Name}}").split() == ["key"]
    labelled = stage.docker("node", "ls", "--filter", "node.label=spotswarm.data=true", "-q")
    assert labelled.split() == [stage.pair.at_manager]

    tasks = stage.tasks("services_web")
    second = await stage.deploy("--json")
    assert second.returncode == 0, second.stderr
    assert {one["change"] for one in json.loads(second.stdout)["services"]} == {"unchanged"}
    assert stage.tasks("services_web") == tasks

    (stage.directory / "settings.txt").write_text("two")
    third = await stage.deploy("--json")
    assert third.returncode == 0, third.stderr
    changes = {one["name"]: one["change"] for one in json.loads(third.stdout)["services"]}
    assert changes["services_web"] == "updated"
    assert changes["services_store"] == "unchanged"
    assert len(stage.docker("config", "ls", "--quiet").split()) == 1


async def test_a_bad_update_is_told_with_its_log_and_rolled_back_and_what_was_new_is_left(
    stage: Stage,
):
    stage.write({"web": service(), "other": service()})
    assert (await stage.deploy()).returncode == 0
    good = stage.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"]

    bad = service("echo no such luck >&2; exit 3", deploy={"restart_policy": {"delay": "100ms"}})
    stage.write({"web": bad, "other": service(), "new": service()})
    ended = await stage.deploy()

    assert ended.returncode == 8, ended.stderr
    assert "services_web" in ended.stderr
    assert "no such luck" in ended.stderr
    assert "non-zero exit (3)" in ended.stderr
    assert "rolled back: services_web" in ended.stderr
    assert "left as they are: services_new" in ended.stderr
    assert stage.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"] == good
    assert stage.inspect("services_new")


async def test_swarms_own_rollback_counts_as_failed_and_is_not_rolled_back_again(stage: Stage):
    careful = {
        "update_config": {"order": "start-first", "failure_action": "rollback", "monitor": "5s"}
    }
    stage.write({"web": service(deploy=careful)})
    assert (await stage.deploy()).returncode == 0
    good = stage.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"]

    stage.write({"web": service("exit 4", deploy=careful)})
    ended = await stage.deploy("--json")

    assert ended.returncode == 8, ended.stderr
    assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    assert stage.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"] == good


async def test_what_is_not_up_in_time_ends_the_command_with_its_own_code(stage: Stage):
    stage.write(
        {
            "web": service(
                healthcheck={
                    "test": ["CMD", "/bin/busybox", "false"],
                    "interval": "1s",
                    "start_period": "600s",
                }
            )
        }
    )

    ended = await stage.deploy("--timeout=3")

    assert ended.returncode == 8
    assert "services_web: time ran out" in ended.stderr


async def test_all_that_lacks_is_said_before_anything_is_changed(stage: Stage):
    del stage.env["VERSION"], stage.env["DOMAIN"]
    missing = await stage.deploy(directory=REPOSITORY / "compose")
    assert missing.returncode == 2
    assert "VERSION is not set" in missing.stderr
    assert "DOMAIN is not set" in missing.stderr

    stage.env |= {"VERSION": "1", "DOMAIN": "localhost", "SERVICES": "public_api,couchdb"}
    lacking = await stage.deploy(directory=REPOSITORY / "compose")
    assert lacking.returncode == 2
    assert "public_api needs auth: add it to SERVICES" in lacking.stderr

    del stage.env["SERVICES"]
    stage.write({"web": service(deploy={"placement": {"constraints": ["node.role == none"]}})})
    nowhere = await stage.deploy()
    assert nowhere.returncode == 7
    assert "no node can run web" in nowhere.stderr

    stage.write({"web": service(networks=["absent"])}, networks={"absent": {"external": True}})
    networks = await stage.deploy()
    assert networks.returncode == 7
    assert "the swarm has no network absent" in networks.stderr
    assert stage.docker("service", "ls", "--quiet") == ""
    assert stage.docker("secret", "ls", "--quiet") == ""


async def test_a_worker_cannot_be_asked_to_deploy(stage: Stage):
    stage.write({"web": service()})
    stage.pair.manager, manager = stage.pair.worker, stage.pair.manager
    try:
        ended = await stage.deploy()
    finally:
        stage.pair.manager = manager
    assert ended.returncode == 7
    assert "is not a manager of a swarm" in ended.stderr


async def test_a_deployment_waits_until_the_leader_has_given_back_what_it_borrowed(
    stage: Stage, eventually: Eventually
):
    stage.write({"web": service()})
    assert (await stage.deploy()).returncode == 0
    stage.docker("service", "update", "-d", "--label-add", "spotswarm.loan={}", "services_web")

    refused = await stage.deploy("--timeout=1")
    assert refused.returncode == 7
    assert "nothing was deployed" in refused.stderr

    under_way = asyncio.create_task(stage.deploy())
    await asyncio.sleep(0)
    stage.docker("service", "update", "-d", "--label-rm", "spotswarm.loan", "services_web")
    assert (await under_way).returncode == 0


async def test_a_given_secret_is_taken_from_its_file_and_printed_nowhere(stage: Stage):
    (stage.directory / "key").write_text("hush-hush\n")
    stage.env["KEY_FILE"] = str(stage.directory / "key")
    stage.write(
        {"web": service(secrets=["key"])},
        secrets={"key": {"external": True, "x-spotswarm": {"generate": 16}}},
    )
    dry = await stage.deploy("--dry-run")
    assert dry.returncode == 0
    assert stage.docker("service", "ls", "--quiet") == ""
    assert "secrets that would be created: key" in dry.stderr

    ended = await stage.deploy()

    assert ended.returncode == 0, ended.stderr
    assert "hush" not in ended.stdout + ended.stderr + dry.stdout + dry.stderr
    name = "name=services_web"
    for machine in (stage.pair.manager, stage.pair.worker):
        if container := machine.docker("ps", "--quiet", "--filter", name):
            assert machine.docker("exec", container, "/bin/busybox", "cat", "/run/secrets/key") == (
                "hush-hush"
            )
            return
    pytest.fail("no container runs")


async def test_a_bad_version_is_gone_also_when_swarm_remembers_nothing_else(
    stage: Stage, eventually: Eventually
):
    """What another's update does: then `docker service rollback` leads to the bad one again."""
    stage.write({"web": service()})
    assert (await stage.deploy()).returncode == 0
    good = stage.inspect("services_web")["Spec"]

    stage.write({"web": service("exit 5", deploy={"restart_policy": {"delay": "1s"}})})
    under_way = asyncio.create_task(stage.deploy("--json"))

    async def is_bad() -> bool:
        spec = await asyncio.to_thread(stage.inspect, "services_web")
        return bool(spec["Spec"]["TaskTemplate"]["ContainerSpec"]["Command"][-1] == "exit 5")

    await eventually(is_bad)
    for turn in ("one", "two"):
        label = ("--label-add", f"turn={turn}")
        await asyncio.to_thread(stage.docker, "service", "update", "-d", *label, "services_web")
    ended = await under_way

    assert ended.returncode == 8, ended.stderr
    assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    assert json.loads(ended.stdout)["not_rolled_back"] == []
    assert stage.inspect("services_web")["Spec"]["TaskTemplate"] == good["TaskTemplate"]


async def test_docker_takes_our_own_stacks_and_only_the_edge_publishes_ports(stage: Stage):
    for which in ("edge", "services"):
        ended = await stage.deploy("--no-wait", which=which, directory=REPOSITORY / "compose")
        assert ended.returncode == 0, ended.stderr

    found = {
        name: stage.inspect(name)
        for name in stage.docker("service", "ls", "--format", "{{.Name}}").split()
    }
    ports = {
        name: [port["PublishedPort"] for port in one["Spec"]["EndpointSpec"]["Ports"]]
        for name, one in found.items()
        if one["Spec"]["EndpointSpec"].get("Ports")
    }
    assert ports == {"edge_traefik": [80, 443, 8080], "edge_registry": [5000]}
    assert {one["Spec"]["EndpointSpec"]["Mode"] for one in found.values()} == {"dnsrr"}
    assert {name for name in found if name.startswith("services_")} == {
        f"services_{name}"
        for name in (
            *("webservice", "public_api", "auth", "newswatcher", "ml", "cp_api"),
            *("cp_api_tickle", "cp_simulator", "redis", "couchdb", "influxdb", "backup"),
        )
    }
    for name, one in found.items():
        assert one["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], name
        for variable in one["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", ()):
            assert not variable.endswith("="), (name, variable)
