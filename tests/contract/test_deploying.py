"""`spotswarm deploy` with Docker's own client, on a real swarm of two nodes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from deployments import REPOSITORY, Deployment, service

Eventually = Callable[..., Awaitable[Any]]


async def test_a_stack_gets_what_it_needs_and_deploying_it_again_changes_nothing(
    deployment: Deployment,
):
    (deployment.directory / "settings.txt").write_text("one")
    deployment.write(
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

    first = await deployment.deploy("--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["outcome"] == "converged"
    assert {
        service_row["name"]: (service_row["running"], service_row["change"])
        for service_row in report["services"]
    } == {
        "services_web": (2, "created"),
        "services_store": (1, "created"),
        "services_every": (2, "created"),
    }
    assert deployment.docker("secret", "ls", "--format", "{{.Name}}").split() == ["key"]
    labelled = deployment.docker("node", "ls", "--filter", "node.label=spotswarm.data=true", "-q")
    assert labelled.split() == [deployment.pair.at_manager]

    tasks = deployment.tasks("services_web")
    second = await deployment.deploy("--json")
    assert second.returncode == 0, second.stderr
    assert {service_row["change"] for service_row in json.loads(second.stdout)["services"]} == {
        "unchanged"
    }
    assert deployment.tasks("services_web") == tasks

    (deployment.directory / "settings.txt").write_text("two")
    third = await deployment.deploy("--json")
    assert third.returncode == 0, third.stderr
    changes = {
        service_row["name"]: service_row["change"]
        for service_row in json.loads(third.stdout)["services"]
    }
    assert changes["services_web"] == "updated"
    assert changes["services_store"] == "unchanged"
    assert len(deployment.docker("config", "ls", "--quiet").split()) == 1


async def test_a_failed_update_shows_its_log_and_is_rolled_back_while_new_services_are_left(
    deployment: Deployment,
):
    await deployment.start({"web": service(), "other": service()})
    good = deployment.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"]

    bad = service("echo no such luck >&2; exit 3", deploy={"restart_policy": {"delay": "100ms"}})
    deployment.write({"web": bad, "other": service(), "new": service()})
    ended = await deployment.deploy()

    assert ended.returncode == 8, ended.stderr
    assert "services_web" in ended.stderr
    assert "no such luck" in ended.stderr
    assert "non-zero exit (3)" in ended.stderr
    assert "rolled back: services_web" in ended.stderr
    assert "left as they are: services_new" in ended.stderr
    assert deployment.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"] == good
    assert deployment.inspect("services_new")


async def test_swarms_own_rollback_counts_as_failed_and_is_not_rolled_back_again(
    deployment: Deployment,
):
    careful = {
        "update_config": {"order": "start-first", "failure_action": "rollback", "monitor": "3s"}
    }
    await deployment.start({"web": service(deploy=careful)})
    good = deployment.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"]

    deployment.write({"web": service("echo no luck either; exit 4", deploy=careful)})
    ended = await deployment.deploy("--json")

    assert ended.returncode == 8, ended.stderr
    assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    assert json.loads(ended.stdout)["rolled_back_by_swarm"] == ["services_web"]
    assert "rolled back by Swarm: services_web" in ended.stderr
    assert "non-zero exit (4)" in ended.stderr
    assert "no luck either" in ended.stderr
    assert deployment.inspect("services_web")["Spec"]["TaskTemplate"]["ContainerSpec"] == good


async def test_a_service_that_is_not_up_in_time_fails_the_deployment(deployment: Deployment):
    deployment.write(
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

    ended = await deployment.deploy("--timeout=3")

    assert ended.returncode == 8
    assert "services_web: time ran out" in ended.stderr


async def test_everything_missing_is_reported_before_anything_is_changed(deployment: Deployment):
    del deployment.env["VERSION"], deployment.env["DOMAIN"]
    missing = await deployment.deploy(directory=REPOSITORY / "compose")
    assert missing.returncode == 2
    assert "VERSION is not set" in missing.stderr
    assert "DOMAIN is not set" in missing.stderr

    deployment.env |= {"VERSION": "1", "DOMAIN": "localhost", "SERVICES": "public_api,couchdb"}
    lacking = await deployment.deploy(directory=REPOSITORY / "compose")
    assert lacking.returncode == 2
    assert "public_api needs auth; add auth to SERVICES" in lacking.stderr

    del deployment.env["SERVICES"]
    deployment.write({"web": service(deploy={"placement": {"constraints": ["node.role == none"]}})})
    nowhere = await deployment.deploy()
    assert nowhere.returncode == 7
    assert "no node can run web" in nowhere.stderr

    deployment.write({"web": service(networks=["absent"])}, networks={"absent": {"external": True}})
    networks = await deployment.deploy()
    assert networks.returncode == 7
    assert "no such network in the swarm: absent" in networks.stderr
    assert deployment.docker("service", "ls", "--quiet") == ""
    assert deployment.docker("secret", "ls", "--quiet") == ""


async def test_deploying_on_a_worker_is_refused(deployment: Deployment):
    deployment.write({"web": service()})
    deployment.pair.manager, manager = deployment.pair.worker, deployment.pair.manager
    try:
        ended = await deployment.deploy()
    finally:
        deployment.pair.manager = manager
    assert ended.returncode == 7
    assert "is not a swarm manager" in ended.stderr


async def test_a_deployment_waits_until_the_leader_has_finished_moving_tasks(
    deployment: Deployment, eventually: Eventually
):
    await deployment.start({"web": service()})
    deployment.docker("service", "update", "-d", "--label-add", "spotswarm.loan={}", "services_web")

    refused = await deployment.deploy("--timeout=1")
    assert refused.returncode == 7
    assert "nothing was deployed" in refused.stderr

    under_way = asyncio.create_task(deployment.deploy())
    await asyncio.sleep(0)
    deployment.docker("service", "update", "-d", "--label-rm", "spotswarm.loan", "services_web")
    assert (await under_way).returncode == 0


async def test_a_secret_of_the_operator_is_read_from_its_file_and_printed_nowhere(
    deployment: Deployment,
):
    (deployment.directory / "key").write_text("hush-hush\n")
    deployment.env["KEY_FILE"] = str(deployment.directory / "key")
    deployment.write(
        {"web": service(secrets=["key"])},
        secrets={"key": {"external": True, "x-spotswarm": {"generate": 16}}},
    )
    dry = await deployment.deploy("--dry-run")
    assert dry.returncode == 0
    assert deployment.docker("service", "ls", "--quiet") == ""
    assert "secrets that would be created: key" in dry.stderr

    ended = await deployment.deploy()

    assert ended.returncode == 0, ended.stderr
    assert "hush" not in ended.stdout + ended.stderr + dry.stdout + dry.stderr
    name = "name=services_web"
    for machine in (deployment.pair.manager, deployment.pair.worker):
        if container := machine.docker("ps", "--quiet", "--filter", name):
            assert machine.docker("exec", container, "/bin/busybox", "cat", "/run/secrets/key") == (
                "hush-hush"
            )
            return
    pytest.fail("no container runs")


async def test_a_failed_version_is_rolled_back_even_if_swarm_remembers_only_that_one(
    deployment: Deployment, eventually: Eventually
):
    """After another update, `docker service rollback` would lead to the failed version again."""
    await deployment.start({"web": service()})
    good = deployment.inspect("services_web")["Spec"]

    deployment.write({"web": service("exit 5", deploy={"restart_policy": {"delay": "1s"}})})
    under_way = asyncio.create_task(deployment.deploy("--json"))

    async def is_bad() -> bool:
        spec = await asyncio.to_thread(deployment.inspect, "services_web")
        return bool(spec["Spec"]["TaskTemplate"]["ContainerSpec"]["Command"][-1] == "exit 5")

    async def is_labelled(turn: str) -> bool:
        # What the swarm writes about its own update may come in between: "out of sequence".
        command = ("service", "update", "-d", "--label-add", f"turn={turn}", "services_web")
        manager = deployment.pair.manager
        return bool(await asyncio.to_thread(manager.docker, *command, check=False))

    await eventually(is_bad)
    for turn in ("one", "two"):
        await eventually(partial(is_labelled, turn))
    ended = await under_way

    assert ended.returncode == 8, ended.stderr
    assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    assert json.loads(ended.stdout)["not_rolled_back"] == []
    assert deployment.inspect("services_web")["Spec"]["TaskTemplate"] == good["TaskTemplate"]


async def test_docker_accepts_our_stacks_and_only_the_edge_publishes_ports(deployment: Deployment):
    for name in ("edge", "services"):
        ended = await deployment.deploy("--no-wait", name=name, directory=REPOSITORY / "compose")
        assert ended.returncode == 0, ended.stderr

    services = {
        name: deployment.inspect(name)
        for name in deployment.docker("service", "ls", "--format", "{{.Name}}").split()
    }
    ports = {
        name: [port["PublishedPort"] for port in service_row["Spec"]["EndpointSpec"]["Ports"]]
        for name, service_row in services.items()
        if service_row["Spec"]["EndpointSpec"].get("Ports")
    }
    assert ports == {"edge_traefik": [80, 443, 8080], "edge_registry": [5000]}
    assert {service_row["Spec"]["EndpointSpec"]["Mode"] for service_row in services.values()} == {
        "dnsrr"
    }
    assert {name for name in services if name.startswith("services_")} == {
        f"services_{name}"
        for name in (
            *("webservice", "public_api", "auth", "newswatcher", "ml", "cp_api"),
            *("cp_api_tickle", "cp_simulator", "redis", "couchdb", "influxdb", "backup"),
        )
    }
    for name, service_row in services.items():
        assert service_row["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], name
        for variable in service_row["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", ()):
            assert not variable.endswith("="), (name, variable)
