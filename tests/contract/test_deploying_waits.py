"""What `spotswarm deploy` waits for, what it does not wait for, and which causes it names."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from deployments import IMAGE, Deployment, service

Eventually = Callable[..., Awaitable[Any]]


async def test_a_deployment_right_after_a_removal_waits_for_the_rest_to_go(
    deployment: Deployment,
):
    """Case 26: Docker would take the network that goes away for the stack's."""
    stubborn = "trap '' TERM; while :; do /bin/busybox sleep 0.2; done"
    services = {
        f"web{number}": service(stubborn, networks=["own"], deploy={"replicas": 2})
        for number in range(2)
    }
    deployment.write(services, networks={"own": {"driver": "overlay"}})
    for _ in range(2):
        ended = await deployment.deploy("--json")
        assert ended.returncode == 0, ended.stderr
        assert {row["running"] for row in json.loads(ended.stdout)["services"]} == {2}
        await asyncio.to_thread(deployment.docker, "stack", "rm", "services")
    assert deployment.records() == []


def job(script: str, **deploy: Any) -> dict[str, Any]:
    return {
        "image": IMAGE,
        "entrypoint": ["/bin/sh", "-c", script],
        "networks": ["services"],
        "deploy": {"endpoint_mode": "dnsrr"} | deploy,
    }


async def test_jobs_and_one_shots_are_done_when_they_have_run_and_do_not_run_again(
    deployment: Deployment,
):
    """Case 12."""
    services = {
        "web": service(),
        "migrate": job("echo migrated", mode="replicated-job"),
        "seed": job("echo seeded", restart_policy={"condition": "none"}),
    }
    deployment.write(services)
    ended = await deployment.deploy("--json", "--timeout=60")
    assert ended.returncode == 0, ended.stderr
    assert {row["name"]: row["complete"] for row in json.loads(ended.stdout)["services"]} == {
        "services_web": 0,
        "services_migrate": 1,
        "services_seed": 1,
    }
    tasks = {name: deployment.tasks(f"services_{name}") for name in services}

    again = await deployment.deploy("--timeout=60")
    assert again.returncode == 0, again.stderr
    assert "1 of 1 complete" in again.stdout
    assert {name: deployment.tasks(f"services_{name}") for name in services} == tasks

    once = {"mode": "replicated-job", "restart_policy": {"condition": "none"}}
    services["migrate"] = job("echo no table; exit 1", **once)
    services["web"] = service(environment={"TURN": "2"})
    deployment.write(services)
    failed = await deployment.deploy("--json", "--timeout=60")
    assert failed.returncode == 8, failed.stderr
    assert "no table" in failed.stderr
    assert "non-zero exit (1)" in failed.stderr
    report = json.loads(failed.stdout)
    assert report["rolled_back"] == ["services_web"]
    assert report["left"] == ["services_migrate"]


async def test_a_network_without_addresses_is_named(deployment: Deployment, eventually: Eventually):
    """Case 16: Swarm itself says nothing, and the tasks stay `new`."""
    create = ("network", "create", "--driver=overlay", "--subnet=10.78.0.0/29", "full")
    deployment.docker(*create)
    many = (
        "--replicas=8",
        "--endpoint-mode=dnsrr",
        "--network=full",
        "--constraint=node.labels.none==1",
    )
    deployment.docker("service", "create", "-d", "--name=many", *many, IMAGE)

    async def is_full() -> bool:
        states = await asyncio.to_thread(
            deployment.docker, "service", "ps", "many", "--format", "{{.CurrentState}}"
        )
        return states.count("Pending") == 5

    try:
        await eventually(is_full)
        deployment.write({"web": service(networks=["full"])}, networks={"full": {"external": True}})
        ended = await deployment.deploy("--timeout=4")
    finally:
        deployment.pair.manager.remove_services()

        async def is_removed() -> bool:
            manager = deployment.pair.manager
            await asyncio.to_thread(manager.docker, "network", "rm", "full", check=False)
            names = await asyncio.to_thread(manager.docker, "network", "ls", "--format={{.Name}}")
            return "full" not in names.split()

        await eventually(is_removed)
    assert ended.returncode == 8, ended.stderr
    sentence = "network full has no address left (5 of 5): services_web waits"
    assert sentence in " ".join(ended.stderr.split())


async def test_a_paused_update_is_repaired_although_the_leader_has_lent(
    deployment: Deployment, eventually: Eventually
):
    """C3: the leader keeps its loan while an update is paused, and the command waited for it."""
    # Swarm pauses only for a failure within this time.
    watched = {"update_config": {"order": "start-first", "monitor": "3s"}}
    await deployment.start({"web": service(deploy=watched)})
    good = deployment.inspect("services_web")["Spec"]
    broken = ("--label-add=spotswarm.loan={}", "--entrypoint=/bin/busybox false")
    deployment.docker("service", "update", "-d", *broken, "services_web")

    async def is_paused() -> bool:
        row = await asyncio.to_thread(deployment.inspect, "services_web")
        return bool((row.get("UpdateStatus") or {}).get("State") == "paused")

    await eventually(is_paused)
    ended = await deployment.deploy("--timeout=60")

    assert ended.returncode == 0, ended.stderr
    assert "waiting for the leader" not in ended.stderr
    assert deployment.inspect("services_web")["Spec"] == good


async def test_a_global_service_is_wanted_only_on_the_nodes_that_can_run_it(
    deployment: Deployment,
):
    """Case 21, for constraints on addresses."""
    address = deployment.pair.worker.address
    placement = {"constraints": [f"node.ip == {address}"]}
    deployment.write({"every": service(deploy={"mode": "global", "placement": placement})})
    ended = await deployment.deploy("--json", "--timeout=60")
    assert ended.returncode == 0, ended.stderr
    (row,) = json.loads(ended.stdout)["services"]
    assert (row["running"], row["wanted"]) == (1, 1)


async def test_an_image_that_a_node_cannot_pull_is_named_with_the_node(deployment: Deployment):
    """Case 25: the registry of the image is away, as it is with stale credentials."""
    await deployment.start({"web": service()})
    stop_first = {"update_config": {"order": "stop-first"}}
    deployment.write({"web": service(image="127.0.0.1:1/private:2", deploy=stop_first)})
    ended = await deployment.deploy("--timeout=60")
    assert ended.returncode == 8, ended.stderr
    assert "No such image: 127.0.0.1:1/private:2" in ended.stderr
    assert "services_web on " in ended.stderr
    assert "could not pull the image" in ended.stderr
    assert "rolled back: services_web" in ended.stderr
