"""What Swarm does with tasks that the leader cannot move, on a real swarm of two nodes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiodocker import Docker

from leader.view.work import Task, Work
from wire.messages import Availability
from wire.platforms import platforms_of, runs_on

Eventually = Callable[..., Awaitable[Any]]

IMAGE: Final = "127.0.0.1:1/busybox:1"
BRIEF: Final = ("--stop-signal", "SIGKILL", "--stop-grace-period", "1s")
SLEEPS: Final = (IMAGE, "/bin/busybox", "sleep", "1000")
ENDS: Final = (IMAGE, "/bin/busybox", "true")


def make(pair: Any, name: str, *options: str, command: tuple[str, ...] = SLEEPS) -> None:
    pair.manager.docker("service", "create", "-d", "--name", name, *BRIEF, *options, *command)


async def tasks_of(pair: Any, name: str) -> tuple[Task, ...]:
    work = Work.of(await pair.swarm.work.services(), await pair.swarm.work.tasks())
    service = next(one for one in work.services.values() if one.name == name)
    return work.of_service(service.id)


async def test_a_drain_stops_a_services_task_and_leaves_a_jobs(
    pair: Any, eventually: Eventually
) -> None:
    at_worker = ("--constraint", f"node.id=={pair.at_worker}")
    make(pair, "job", "--mode", "replicated-job", *at_worker)
    make(pair, "everywhere", "--mode", "global")

    async def all_run() -> bool:
        tasks = (*await tasks_of(pair, "job"), *await tasks_of(pair, "everywhere"))
        return len(tasks) == 3 and all(task.is_up for task in tasks)

    await eventually(all_run, 30)
    (job,) = await tasks_of(pair, "job")
    assert (job.is_wanted, job.desired) == (True, "complete")
    await pair.swarm.change_node(pair.at_worker, availability=Availability.DRAIN)

    async def is_stopped() -> bool:
        return {task.node for task in await tasks_of(pair, "everywhere")} == {pair.at_manager}

    await eventually(is_stopped, 30)
    (after,) = await tasks_of(pair, "job")
    assert (after.id, after.node) == (job.id, pair.at_worker)
    assert after.is_up
    assert after.is_wanted


async def test_a_task_that_ends_with_success_counts_as_broken_if_its_service_should_run_on(
    pair: Any, eventually: Eventually
) -> None:
    make(pair, "ends", "--restart-delay", "1h", command=ENDS)
    make(pair, "once", "--restart-condition", "on-failure", command=ENDS)
    make(pair, "job", "--mode", "replicated-job", command=ENDS)
    async with Docker(url=pair.manager.url) as docker:

        async def states(name: str) -> set[str]:
            listed = await docker.tasks.list(filters={"service": name})
            return {task["Status"]["State"] for task in listed}

        async def all_have_ended() -> bool:
            return all(["complete" in await states(name) for name in ("ends", "once", "job")])

        await eventually(all_have_ended, 30)
    broken = [task for task in await tasks_of(pair, "ends") if task.is_broken]
    assert len(broken) == 1
    assert "exit code 0" in broken[0].trouble
    assert await tasks_of(pair, "once") == await tasks_of(pair, "job") == ()


PLATFORMS: Final[Sequence[Sequence[dict[str, str]]]] = (
    [],
    [{"OS": "linux", "Architecture": "amd64"}],
    [{"OS": "linux", "Architecture": "x86_64"}],
    [{"OS": "linux", "Architecture": "arm64"}],
    [{"OS": "linux", "Architecture": "aarch64"}],
    [{"OS": "linux", "Architecture": "arm64"}, {"OS": "linux", "Architecture": "amd64"}],
    [{"OS": "windows", "Architecture": "amd64"}],
    [{"OS": "linux"}],
    [{"Architecture": "amd64"}],
    [{"Architecture": "AMD64"}],
)


async def test_images_are_for_the_platforms_that_a_real_engine_says(
    pair: Any, eventually: Eventually
) -> None:
    node = next(node for node in await pair.swarm.nodes() if node.id == pair.at_manager)
    placements = [{"Platforms": listed} for listed in PLATFORMS]
    expected = [runs_on(node.platform, platforms_of(placement)) for placement in placements]
    async with Docker(url=pair.manager.url) as docker:
        services = []
        for number, placement in enumerate(placements):
            template = {
                "ContainerSpec": {"Image": "127.0.0.1:1/none:1"},
                "RestartPolicy": {"Condition": "none"},
                "Placement": placement | {"Constraints": [f"node.id=={node.id}"]},
            }
            spec = {"Name": f"p{number}", "TaskTemplate": template}
            created = await docker._query_json("services/create", method="POST", data=spec)
            services.append(created["ID"])

        async def verdicts() -> list[bool] | None:
            placed: list[bool] = []
            for service in services:
                for task in await docker.tasks.list(filters={"service": service}):
                    if task.get("NodeID"):
                        placed.append(True)
                    elif "unsupported platform" in task["Status"].get("Err", ""):
                        placed.append(False)
            return placed if len(placed) == len(services) else None

        assert await eventually(verdicts, 30) == expected
    assert {True, False} == set(expected)


async def test_a_task_that_reserves_what_no_node_has_is_told_to_be_without_a_node(
    pair: Any, eventually: Eventually
) -> None:
    make(pair, "ml", "--replicas", "3", "--generic-resource", "gpu=2")

    async def two_run() -> tuple[Task, ...] | None:
        tasks = await tasks_of(pair, "ml")
        placed = [task for task in tasks if task.is_up]
        return tasks if len(placed) == 2 and any(task.is_unplaced for task in tasks) else None

    tasks = await eventually(two_run, 30)
    assert {task.node for task in tasks} == {pair.at_manager, pair.at_worker, None}
