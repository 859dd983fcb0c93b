"""Services and tasks as the leader reads and changes them, on a real swarm of two nodes."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from aiodocker import Docker

from leader.edges.docker.swarm import Swarm
from leader.view.ids import ServiceId
from leader.view.work import Service, Task, Work
from runtime.errors import GoneError, UnavailableError
from wire.labels import LABEL_LOAN

Eventually = Callable[..., Awaitable[Any]]

IMAGE = "127.0.0.1:1/busybox:1"
SLEEPS = (IMAGE, "/bin/busybox", "sleep", "1000")
# A first process ignores SIGTERM unless it handles it.
BRIEF = ("--stop-signal", "SIGKILL", "--stop-grace-period", "1s")
LENT = {
    "Parallelism": 4,
    "Delay": 0,
    "FailureAction": "pause",
    "Monitor": 1_000_000_000,
    "MaxFailureRatio": 0,
    "Order": "start-first",
}
RICH = (
    *("--label", "team=a", "--label", "traefik.enable=true", "--container-label", "x=y"),
    *("--constraint", "node.platform.os==linux", "--constraint", "node.labels.no!=1"),
    *("--placement-pref", "spread=node.labels.zone", "--replicas-max-per-node", "4"),
    *("--update-order", "stop-first", "--update-delay", "3s", "--update-monitor", "2s"),
    *("--update-failure-action", "rollback", "--update-max-failure-ratio", "0.25"),
    *("--rollback-parallelism", "2", "--rollback-order", "start-first"),
    *("--limit-cpu", "0.5", "--limit-memory", "64M", "--limit-pids", "50"),
    *("--reserve-cpu", "0.1", "--reserve-memory", "16M"),
    *("--restart-condition", "on-failure", "--restart-delay", "1s", "--restart-max-attempts", "3"),
    *("--mount", "type=volume,source=data,target=/data,volume-label=a=b"),
    *("--mount", "type=bind,source=/etc,target=/host,readonly", "--mount", "type=tmpfs,target=/t"),
    *("--env", "A=1", "--env", "EMPTY=", "--host", "one:10.0.0.1", "--dns", "10.0.0.2"),
    *("--health-cmd", "/bin/busybox true", "--health-interval", "200ms", "--health-retries", "2"),
    *("--network", "name=inner,alias=other", "--endpoint-mode", "dnsrr"),
    *("--config", "source=settings,target=/c"),
    *("--secret", "source=key,target=k,mode=0400", "--user", "0", "--workdir", "/", "--read-only"),
    *("--cap-drop", "ALL", "--ulimit", "nofile=100:200", "--sysctl", "net.core.somaxconn=64"),
    *("--hostname", "{{.Node.Hostname}}-{{.Task.Slot}}", "--init", "--log-driver", "json-file"),
)


def make(pair: Any, name: str, *options: str, command: tuple[str, ...] = SLEEPS) -> None:
    pair.manager.docker("service", "create", "-d", "--name", name, *BRIEF, *options, *command)


async def spec_of(pair: Any, name: str) -> str:
    """As the API has it: Docker's own client fills defaults in."""
    async with Docker(url=pair.manager.url) as docker:
        return json.dumps((await docker.services.inspect(name))["Spec"])


async def service_of(swarm: Swarm, name: str = "web") -> Service:
    return next(found for found in await swarm.work.services() if found.name == name)


async def work_of(swarm: Swarm) -> Work:
    return Work.of(await swarm.work.services(), await swarm.work.tasks())


async def change(swarm: Swarm, service: Service, **new: Any) -> None:
    now = {
        "version": service.version,
        "constraints": service.constraints,
        "update": service.update,
        "replicas": service.replicas,
        "label": service.labels.get(LABEL_LOAN),
    }
    await swarm.work.change_service(service.id, **(now | new))


async def settled(
    pair: Any,
    eventually: Eventually,
    up: int,
    name: str = "web",
    update_states: tuple[str, ...] = ("", "completed", "paused"),
) -> dict[str, str]:
    """The nodes of a service's tasks by task id, once `up` tasks run and no other exists.

    Swarm clears the update state when a spec changes and sets it when the update starts, so a test
    that expects tasks to move must wait for `completed`: without a state, no task has moved yet.
    """
    service = (await service_of(pair.swarm, name)).id

    async def found() -> tuple[Task, ...] | None:
        tasks = (await work_of(pair.swarm)).of_service(service)
        there = tuple(task for task in tasks if not task.is_broken)
        state = (await service_of(pair.swarm, name)).update_state
        is_still = state in update_states and all(task.is_up and task.is_wanted for task in there)
        return there if is_still and len(there) == up else None

    return {task.id: str(task.node) for task in await eventually(found, 30)}


async def test_a_service_is_read_as_its_spec_says(pair: Any) -> None:
    pair.manager.docker("network", "create", "--driver", "overlay", "inner", check=False)
    make(pair, "plain")
    make(pair, "whole", "--mode", "global", "--mount", "type=bind,source=/tmp,target=/t")
    make(pair, "once", "--mode", "replicated-job", "--no-healthcheck")
    make(
        pair,
        "shared",
        *("--mount", "type=volume,source=a,target=/a,volume-driver=local,volume-opt=type=nfs"),
        *("--mount", "type=volume,source=b,target=/b,volume-driver=rexray"),
        *("--mount", "type=bind,source=/etc,target=/c,readonly"),
    )
    make(
        pair,
        "rich",
        *("--replicas", "3", "--label", "a=b", "--constraint", "node.id!=x"),
        *("--placement-pref", "spread=node.labels.zone", "--replicas-max-per-node", "2"),
        *("--update-order", "start-first", "--health-cmd", "/bin/busybox true"),
        *("--reserve-cpu", "0.25", "--reserve-memory", "8M", "--generic-resource", "gpu=3"),
        *("--mount", "type=volume,source=data,target=/data", "--network", "inner"),
        *("--endpoint-mode", "dnsrr", "--publish", "mode=host,target=80,published=8080"),
    )
    found = {service.name: service for service in await pair.swarm.work.services()}
    plain = found["plain"]
    assert plain == Service(
        id=plain.id,
        name="plain",
        version=plain.version,
        replicas=1,
        stop_grace=timedelta(seconds=1),
        template=plain.template,
    )
    assert len({service.template for service in found.values()}) == len(found)
    rich = found["rich"]
    assert (rich.mode, rich.replicas, rich.labels) == ("replicated", 3, {"a": "b"})
    assert (rich.constraints, rich.has_preferences, rich.most_per_node) == (
        ("node.id!=x",),
        True,
        2,
    )
    assert rich.update is not None
    assert rich.update["Order"] == "start-first"
    assert (rich.has_health_check, rich.has_host_ports, rich.has_local_volumes) == (True,) * 3
    assert (rich.cpu, rich.memory, rich.generic) == (250_000_000, 8 * 1024 * 1024, {"gpu": 3})
    assert rich.host_ports == {("tcp", 8080)}
    assert (found["whole"].mode, found["whole"].has_local_volumes) == ("global", True)
    assert (found["once"].mode, found["once"].has_health_check) == ("replicated-job", False)
    shared = found["shared"]
    assert (shared.has_local_volumes, shared.has_single_node_volumes) == (False, True)
    assert shared.volume_plugins == {"rexray"}
    assert found["once"].is_job


async def test_tasks_are_those_that_run_or_should_and_the_young_that_broke(
    pair: Any, eventually: Eventually
) -> None:
    make(pair, "web", "--replicas", "3")
    make(pair, "everywhere", "--mode", "global")
    make(pair, "nowhere", "--constraint", "node.labels.never==1")
    fails = (IMAGE, "/bin/busybox", "false")
    make(pair, "broken", "--restart-delay", "1h", command=fails)
    make(pair, "over", "--restart-condition", "none", command=(IMAGE, "/bin/busybox", "true"))

    async def by_service() -> dict[str, tuple[Task, ...]] | None:
        work = await work_of(pair.swarm)
        named = {one.name: work.of_service(one.id) for one in work.services.values()}
        is_there = (
            all(task.is_up for task in (*named["web"], *named["everywhere"]))
            and any(task.is_broken for task in named["broken"])
            and not named["over"]
            and "no suitable node" in named["nowhere"][0].trouble
        )
        return named if is_there else None

    named = await eventually(by_service, 30)
    assert sorted(task.slot for task in named["web"]) == [1, 2, 3]
    assert {task.node for task in named["web"]} == {pair.at_manager, pair.at_worker}
    assert {(task.state, task.desired, task.trouble) for task in named["web"]} == {
        ("running", "running", "")
    }
    assert [task.slot for task in named["everywhere"]] == [0, 0]
    (waiting,) = named["nowhere"]
    assert (waiting.node, waiting.state, waiting.is_wanted) == (None, "pending", True)
    broken = next(task for task in named["broken"] if task.is_broken)
    assert "non-zero exit (1)" in broken.trouble
    before = {task.id for task in named["web"]}
    pair.manager.docker("service", "update", "-d", "--force", "web")
    after = await settled(pair, eventually, 3, update_states=("completed",))
    assert not before & set(after)


@pytest.mark.parametrize("options", [(), RICH], ids=["minimal", "rich"])
async def test_a_loan_moves_the_tasks_of_one_node_and_given_back_leaves_the_spec_as_it_was(
    pair: Any, eventually: Eventually, options: tuple[str, ...]
) -> None:
    docker = pair.manager.docker
    if options:
        docker("network", "create", "--driver", "overlay", "inner", check=False)
        for kind, name in (("config", "settings"), ("secret", "key")):
            docker(kind, "create", "--label", "t=1", name, "/etc/hostname", check=False)
    make(pair, "web", "--replicas", "4", *options)
    placed = await settled(pair, eventually, 4)
    assert sorted(placed.values()) == sorted([pair.at_manager, pair.at_worker] * 2)
    before, shown = (
        await spec_of(pair, "web"),
        docker("service", "inspect", "web", "-f", "{{json .Spec}}"),
    )
    own = await service_of(pair.swarm)

    away = (*own.constraints, f"node.id!={pair.at_worker}")
    await change(pair.swarm, own, constraints=away, update=LENT, label='{"v":1}')
    moved = await settled(pair, eventually, 4, update_states=("completed",))
    assert set(moved.values()) == {pair.at_manager}
    stayed = {task for task, node in placed.items() if node == pair.at_manager}
    assert stayed < set(moved)
    lent = await service_of(pair.swarm)
    assert (lent.constraints, lent.labels[LABEL_LOAN]) == (away, '{"v":1}')
    assert lent.template == own.template

    await change(pair.swarm, lent, constraints=own.constraints, update=own.update, label=None)
    assert await spec_of(pair, "web") == before
    assert docker("service", "inspect", "web", "-f", "{{json .Spec}}") == shown
    await asyncio.sleep(1)
    assert await settled(pair, eventually, 4) == moved


async def test_scale_is_lent_and_given_back(pair: Any, eventually: Eventually) -> None:
    make(pair, "web", "--replicas", "2")
    placed = await settled(pair, eventually, 2)
    before = await spec_of(pair, "web")
    await change(pair.swarm, await service_of(pair.swarm), replicas=3, label="x")
    more = await settled(pair, eventually, 3)
    assert set(placed) < set(more)
    await change(pair.swarm, await service_of(pair.swarm), replicas=2, label=None)
    assert await spec_of(pair, "web") == before
    await settled(pair, eventually, 2)


async def test_a_change_that_moves_nothing_leaves_no_update_state(
    pair: Any, eventually: Eventually
) -> None:
    make(pair, "web", "--constraint", f"node.id=={pair.at_worker}")
    placed = await settled(pair, eventually, 1)
    own = await service_of(pair.swarm)
    away = (*own.constraints, f"node.id!={pair.at_manager}")
    await change(pair.swarm, own, constraints=away, update=LENT, label="x")
    for _ in range(10):
        assert (await service_of(pair.swarm)).update_state == ""
        await asyncio.sleep(0.1)
    assert await settled(pair, eventually, 1) == placed


async def test_a_global_service_has_no_replicas_to_set(pair: Any, eventually: Eventually) -> None:
    make(pair, "web", "--mode", "global")
    await settled(pair, eventually, 2)
    before = await spec_of(pair, "web")
    await change(pair.swarm, await service_of(pair.swarm), label="x", replicas=7)
    await change(pair.swarm, await service_of(pair.swarm), label=None, replicas=7)
    assert await spec_of(pair, "web") == before


async def test_a_service_made_by_the_api_without_placement_gets_an_empty_one_and_no_task_moves(
    pair: Any, eventually: Eventually
) -> None:
    made: Mapping[str, Any] = {"Image": IMAGE, "Command": list(SLEEPS[1:]), "StopSignal": "SIGKILL"}
    async with Docker(url=pair.manager.url) as docker:
        await docker.services.create({"ContainerSpec": made}, name="web")
    placed = await settled(pair, eventually, 1)
    before = json.loads(await spec_of(pair, "web"))
    assert "Placement" not in before["TaskTemplate"]
    own = await service_of(pair.swarm)
    await change(pair.swarm, own, constraints=("node.id!=x",), label="x")
    lent = await service_of(pair.swarm)
    assert lent.template == own.template
    await change(pair.swarm, lent, constraints=(), label=None)
    before["TaskTemplate"]["Placement"] = {}
    assert json.loads(await spec_of(pair, "web")) == before
    await asyncio.sleep(1)
    assert await settled(pair, eventually, 1) == placed


async def test_a_change_of_an_old_version_is_refused_and_a_persons_own_stays(
    pair: Any, eventually: Eventually
) -> None:
    make(pair, "web", "--constraint", "node.role==worker")
    seen = await service_of(pair.swarm)
    pair.manager.docker(
        *("service", "update", "-d", "--env-add", "MINE=1", "--constraint-add", "node.labels.a!=b"),
        *("--label-add", "mine=1", "web"),
    )
    with pytest.raises(UnavailableError, match="web has changed in the meantime"):
        await change(pair.swarm, seen, constraints=(), label="x")

    async def is_over() -> bool:
        return (await service_of(pair.swarm)).update_state == "completed"

    # Until then the swarm notes how far its update is, each time with a new version.
    await eventually(is_over, 60)
    theirs = await spec_of(pair, "web")
    fresh = await service_of(pair.swarm)
    assert fresh.constraints == ("node.labels.a!=b", "node.role==worker")
    assert fresh.template != seen.template
    await change(pair.swarm, fresh, constraints=(*fresh.constraints, "node.id!=x"), label="x")
    borrowed = await service_of(pair.swarm)
    await change(pair.swarm, borrowed, constraints=fresh.constraints, label=None)
    assert await spec_of(pair, "web") == theirs


async def test_of_changes_at_once_one_wins(pair: Any) -> None:
    make(pair, "web")
    seen = await service_of(pair.swarm)
    results = await asyncio.gather(
        *(change(pair.swarm, seen, label=str(number)) for number in range(5)),
        return_exceptions=True,
    )
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, UnavailableError) for result in results)


async def test_a_move_that_fails_is_paused_and_given_back_keeps_the_tasks_that_serve(
    pair: Any, eventually: Eventually
) -> None:
    """Only with a health check: without one, a task that dies at once has replaced the old one."""
    healthy = f"/bin/busybox test $(/bin/busybox hostname) = {pair.worker.name}"
    make(
        pair,
        "web",
        *("--replicas", "2", "--hostname", "{{.Node.Hostname}}", "--restart-delay", "1s"),
        *("--health-cmd", healthy, "--health-interval", "200ms", "--health-retries", "2"),
        *("--replicas-max-per-node", "2", "--update-monitor", "1s"),
        *("--constraint", "node.labels.x!=y", "--constraint", f"node.id!={pair.at_manager}"),
    )
    placed = await settled(pair, eventually, 2)
    own = await service_of(pair.swarm)
    away = (own.constraints[0], f"node.id!={pair.at_worker}")
    await change(pair.swarm, own, constraints=away, update=LENT, label="x")

    async def is_paused() -> bool:
        return (await service_of(pair.swarm)).update_state == "paused"

    await eventually(is_paused, 30)
    tasks = (await work_of(pair.swarm)).of_service(own.id)
    assert {task.id for task in tasks if task.is_up and task.is_wanted} == set(placed)
    assert any(task.is_broken and "unhealthy" in task.trouble for task in tasks)
    lent = await service_of(pair.swarm)
    await change(pair.swarm, lent, constraints=own.constraints, update=own.update, label=None)
    assert await settled(pair, eventually, 2) == placed


async def test_a_service_that_was_removed_is_gone(pair: Any) -> None:
    with pytest.raises(GoneError):
        await pair.swarm.work.change_service(
            ServiceId("gone"), version=1, constraints=(), update=None, replicas=1, label=None
        )
