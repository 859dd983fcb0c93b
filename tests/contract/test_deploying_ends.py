"""However `spotswarm deploy` ends, it leaves no service half changed without saying so."""

import asyncio
import json
import shutil
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from deployments import Deployment, service

Eventually = Callable[..., Awaitable[Any]]
QUICKLY = {"restart_policy": {"delay": "100ms"}}
CLIENT = """#!/bin/sh
# Docker's client, until it has deployed; then the engine behaves as the test wants.
case "$1 $2" in
"stack deploy") {real} "$@"; code=$?; touch {place}/deployed; exit $code ;;
"system dial-stdio") if [ -e {place}/deployed ]; then {then}; fi ;;
esac
exec {real} "$@"
"""


def never_healthy(turn: int) -> dict[str, Any]:
    test = ["CMD", "/bin/busybox", "false"]
    return service(
        environment={"TURN": str(turn)},
        healthcheck={"test": test, "interval": "1s", "start_period": "600s"},
    )


def turn_of(deployment: Deployment) -> list[str]:
    return list(deployment.template("services_web")["ContainerSpec"].get("Env") or [])


async def interrupted(
    deployment: Deployment, eventually: Eventually, turn: int, number: signal.Signals
) -> tuple[int | None, str]:
    """Deploy a version that does not come up, and send the command a signal meanwhile."""
    deployment.write({"web": never_healthy(turn)})
    command = await deployment.begin()

    async def is_changed() -> bool:
        return await asyncio.to_thread(turn_of, deployment) == [f"TURN={turn}"]

    await eventually(is_changed, every=0.2)
    command.send_signal(number)
    _, error = await command.communicate()
    return command.returncode, error.decode()


async def test_whatever_ends_the_command_the_next_one_knows_what_the_services_were(
    deployment: Deployment, eventually: Eventually
):
    await deployment.start({"web": service()})
    good = deployment.inspect("services_web")["Spec"]

    for turn, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)):
        code, error = await interrupted(deployment, eventually, turn, number)
        assert deployment.records() == ["spotswarm.deployment.services"]
        if number is signal.SIGKILL:
            assert code == -signal.SIGKILL
            continue
        assert code == 130
        assert "services_web" in error
        assert "`spotswarm deploy services --undo`" in error

    deployment.write({"web": service("exit 9", deploy=QUICKLY)})
    again = await deployment.deploy("--json")
    assert again.returncode == 8, again.stderr
    assert "has not ended" in again.stderr
    assert json.loads(again.stdout)["rolled_back"] == ["services_web"]
    assert deployment.inspect("services_web")["Spec"] == good
    assert deployment.records() == []


async def test_a_killed_deployment_is_undone_without_its_file(
    deployment: Deployment, eventually: Eventually
):
    await deployment.start({"web": service()})
    good, tasks = deployment.inspect("services_web")["Spec"], deployment.tasks("services_web")
    await interrupted(deployment, eventually, 1, signal.SIGKILL)
    (deployment.directory / "services.yml").unlink()

    undone = await deployment.deploy("--undo", "--json")

    assert undone.returncode == 0, undone.stderr
    assert json.loads(undone.stdout)["rolled_back"] == ["services_web"]
    assert deployment.inspect("services_web")["Spec"] == good
    assert deployment.wanted("services_web") == tasks, "the old task had to run on"
    again = await deployment.deploy("--undo")
    assert again.returncode == 0
    assert "nothing was changed" in again.stderr


async def test_a_bug_and_an_engine_that_is_gone_are_named_and_can_be_undone(
    deployment: Deployment,
):
    await deployment.start({"web": service()})
    good = deployment.inspect("services_web")["Spec"]
    client = deployment.directory / "client" / "docker"
    client.parent.mkdir()
    for turn, (then, code, sentence) in enumerate(
        [
            ("printf 'HTTP/1.1 200 OK\\r\\n\\r\\n[7]'; exit 0", 1, "this command has failed"),
            ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", 4, "Cannot connect"),
        ]
    ):
        place = deployment.directory / str(turn)
        place.mkdir()
        client.write_text(CLIENT.format(real=shutil.which("docker"), place=place, then=then))
        client.chmod(0o755)

        deployment.client = str(client.parent)
        deployment.write({"web": never_healthy(turn)})
        ended = await deployment.deploy("--timeout=3")
        deployment.client = ""

        assert ended.returncode == code, ended.stderr
        assert sentence in ended.stderr
        assert "services_web" in ended.stderr
        assert "`spotswarm deploy services --undo`" in ended.stderr
        assert ("Traceback" in ended.stderr) is (code == 1)
        undone = await deployment.deploy("--undo")
        assert undone.returncode == 0, undone.stderr
        assert deployment.inspect("services_web")["Spec"] == good
        assert deployment.records() == []


async def test_an_engine_that_restarts_is_waited_for(
    deployment: Deployment, eventually: Eventually
):
    on_worker = {"placement": {"constraints": ["node.role == worker"]}}
    await deployment.start({"web": service(deploy=on_worker)})
    deployment.write({"web": service(environment={"TURN": "2"}, deploy=on_worker)})
    command = await deployment.begin()

    async def is_changed() -> bool:
        return await asyncio.to_thread(turn_of, deployment) == ["TURN=2"]

    await eventually(is_changed, every=0.2)
    manager = deployment.pair.manager
    await asyncio.to_thread(manager.stop)
    await asyncio.to_thread(manager.start)
    await asyncio.to_thread(manager.wait)
    _, error = await command.communicate()
    assert command.returncode == 0, error.decode()
    assert deployment.records() == []


async def test_a_service_that_docker_has_changed_before_it_rejects_another_is_rolled_back(
    deployment: Deployment,
):
    """Docker changes services in any order, so the good one may not have been changed at all."""
    await deployment.start({"web": service(), "other": service()})
    good = deployment.inspect("services_web")["Spec"]

    deployment.write(
        {
            "web": service(environment={"TURN": "2"}),
            "other": service(deploy={"mode": "global"}),
        }
    )
    ended = await deployment.deploy("--json")

    assert "mode" in ended.stderr
    if ended.returncode == 8:
        assert json.loads(ended.stdout)["outcome"] == "rejected"
        assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    else:
        assert ended.returncode == 7, ended.stderr
    assert deployment.inspect("services_web")["Spec"] == good
    assert deployment.records() == []


async def test_an_update_without_room_is_announced_ends_early_and_is_undone_at_once(
    deployment: Deployment, eventually: Eventually
):
    """Cases 19 and 23: before, both the update and its rollback waited for ever."""

    def crowded(turn: int) -> dict[str, Any]:
        return {
            "web": service(
                environment={"TURN": str(turn)},
                deploy={"replicas": 2, "placement": {"max_replicas_per_node": 1}},
            )
        }

    deployment.write(crowded(1))
    first = await deployment.deploy()
    assert first.returncode == 0, first.stderr
    assert "start-first" not in first.stderr
    good, tasks = deployment.inspect("services_web")["Spec"], deployment.tasks("services_web")

    deployment.write(crowded(2))
    ended = await deployment.deploy("--json")

    assert ended.returncode == 8, ended.stderr
    remark = "start-first needs a free node: 2 replicas, 2 nodes, one each; use stop-first"
    assert remark in " ".join(ended.stderr.split())
    report = json.loads(ended.stdout)
    assert (report["outcome"], report["rolled_back"]) == ("failed", ["services_web"])
    assert "max replicas per node limit exceed" in ended.stderr
    now = deployment.inspect("services_web")
    assert now["Spec"] == good
    assert (now.get("UpdateStatus") or {}).get("State", "") in {"", "completed"}
    assert deployment.wanted("services_web") == tasks


async def test_a_rollback_that_cannot_start_first_stops_first(deployment: Deployment):
    """The bad tasks keep the only places that the earlier version could start in."""
    places = {"replicas": 2, "placement": {"max_replicas_per_node": 1}}
    await deployment.start({"web": service(deploy=places)})
    good = deployment.inspect("services_web")["Spec"]

    sick = never_healthy(2)
    stop_first = {"order": "stop-first", "parallelism": 0, "monitor": "500ms"}
    sick["deploy"] |= places | {"update_config": stop_first}
    deployment.write({"web": sick})
    ended = await deployment.deploy("--json", "--timeout=6")

    assert ended.returncode == 8, ended.stderr
    assert json.loads(ended.stdout)["rolled_back"] == ["services_web"]
    assert deployment.inspect("services_web")["Spec"] == good


async def test_what_cannot_be_restored_is_named_with_the_command_that_goes_on(
    deployment: Deployment, eventually: Eventually
):
    """Somebody removes the service while it is updated."""
    await deployment.start({"web": service()})
    deployment.write({"web": never_healthy(1)})
    command = await deployment.begin("--timeout=20")

    async def is_changed() -> bool:
        return await asyncio.to_thread(turn_of, deployment) == ["TURN=1"]

    await eventually(is_changed, every=0.2)
    await asyncio.to_thread(deployment.docker, "service", "rm", "services_web")
    _, error = await command.communicate()

    assert command.returncode == 6, error.decode()
    text = " ".join(error.decode().split())
    assert "not rolled back: services_web (the service has been removed since)" in text
    assert "comes back only if you deploy an earlier stack file" in text
