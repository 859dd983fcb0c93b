"""The agent's hold on its own engine, against real ones."""

import asyncio
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.edges.engine import Engine
from agent.model import Ticket
from leader.edges.docker.swarm import SWARM_PORT, Swarm
from runtime.errors import ClusterError, RefusedError, UnavailableError
from wire.messages import Availability, Role

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
async def engine(engines: Any) -> AsyncIterator[Engine]:
    async with Engine(engines[1].url) as opened:
        yield opened


def ticket(token: str, *managers: str) -> Ticket:
    return Ticket(
        token, tuple(f"{address}:{SWARM_PORT}" for address in managers), Availability.DRAIN
    )


async def test_joining_makes_a_drained_ready_node_at_the_private_address(
    swarm: Swarm, engine: Engine, engines: Any, eventually: Eventually
) -> None:
    assert await engine.state() == ("inactive", "")
    token = await swarm.token(Role.WORKER)
    await engine.join(ticket(token, engines[0].address), address=engines[1].address)
    assert await engine.state() == ("active", "")

    async def is_ready() -> bool:
        return any(
            node.is_ready
            and (node.address, node.availability) == (engines[1].address, Availability.DRAIN)
            for node in await swarm.nodes()
        )

    assert await eventually(is_ready)


async def test_a_second_manager_that_answers_is_enough(
    swarm: Swarm, engine: Engine, engines: Any
) -> None:
    token = await swarm.token(Role.WORKER)
    managers = (engines[2].address, engines[0].address)
    await engine.join(ticket(token, *managers), address=engines[1].address)
    assert (await engine.state())[0] == "active"


@pytest.mark.parametrize("token", ["SWMTKN-1-nonsense", "not a token"])
async def test_what_is_no_token_fails_and_is_not_quoted(
    token: str, swarm: Swarm, engine: Engine, engines: Any
) -> None:
    with pytest.raises(ClusterError, match="did not join the swarm") as failed:
        await engine.join(ticket(token, engines[0].address), address=engines[1].address)
    assert token not in str(failed.value)
    assert (await engine.state())[0] == "inactive"


async def test_a_member_cannot_join_again_and_stays_a_member(
    swarm: Swarm, engine: Engine, engines: Any
) -> None:
    joining = ticket(await swarm.token(Role.WORKER), engines[0].address)
    await engine.join(joining, address=engines[1].address)
    with pytest.raises(RefusedError):
        await engine.join(joining, address=engines[1].address)
    assert (await engine.state())[0] == "active"


async def test_managers_that_are_away_leave_the_engine_as_it_was(
    swarm: Swarm, engine: Engine, engines: Any
) -> None:
    token = await swarm.token(Role.WORKER)
    nobody = engines[0].address.rpartition(".")[0] + ".250"
    with pytest.raises(UnavailableError, match=r"no manager responded at .*open 2377/tcp"):
        await engine.join(ticket(token, nobody), address=engines[1].address)
    assert await engine.state() == ("inactive", "")


async def heal_after_a_manager_that_hangs(swarm: Swarm, machine: Any, manager: str) -> None:
    """A join that hangs leaves the engine half joined; leaving by force heals it."""
    token = await swarm.token(Role.WORKER)
    bridge = manager.rpartition(".")[0] + ".1"
    async with Engine(machine.url) as engine:
        with (
            socket.create_server((bridge, SWARM_PORT)),
            # If the engine's own "Timeout was reached" is late, the client's time-out comes first.
            pytest.raises(UnavailableError, match="did not join the swarm"),
        ):
            await engine.join(ticket(token, bridge), address=machine.address)
        state, error = await engine.state()
        assert state in {"pending", "error"}, error
        assert token not in error
        await engine.leave_by_force()
        assert (await engine.state())[0] == "inactive"
        fresh = ticket(await swarm.token(Role.WORKER), manager)
        await engine.join(fresh, address=machine.address)
        assert (await engine.state())[0] == "active"


async def be_refused_with_a_rotated_token(swarm: Swarm, machine: Any, manager: str) -> None:
    """The engine tries such a token for ten seconds before it says no, and quotes none of it."""
    token = await swarm.token(Role.WORKER)
    await swarm.rotate(Role.WORKER)
    async with Engine(machine.url) as engine:
        with pytest.raises(RefusedError, match="did not join the swarm") as refused:
            await engine.join(ticket(token, manager), address=machine.address)
        assert token.rpartition("-")[2] not in f"{refused.value!r} {refused.value.__cause__!r}"
        assert (await engine.state())[0] == "inactive"


async def test_a_rotated_token_is_refused_and_a_half_joined_engine_heals_by_force(
    swarm: Swarm, engines: Any
) -> None:
    """Both are slow by the engine's own time-outs, so two engines go through them at once."""
    manager = engines[0].address
    async with asyncio.TaskGroup() as group:
        group.create_task(heal_after_a_manager_that_hangs(swarm, engines[1], manager))
        group.create_task(be_refused_with_a_rotated_token(swarm, engines[2], manager))


async def test_leaving_when_in_no_swarm_is_success(engine: Engine) -> None:
    await engine.leave_by_force()
    await engine.leave_by_force()
    assert (await engine.state())[0] == "inactive"


async def test_a_member_leaves_by_force(swarm: Swarm, engine: Engine, engines: Any) -> None:
    joining = ticket(await swarm.token(Role.WORKER), engines[0].address)
    await engine.join(joining, address=engines[1].address)
    await engine.leave_by_force()
    assert (await engine.state())[0] == "inactive"


async def test_an_engine_that_is_not_up_yet_is_away(ground: Any) -> None:
    async with Engine(f"unix://{ground}/no-engine.sock") as nobody:
        with pytest.raises(UnavailableError, match="is not responding yet"):
            await nobody.state()
        with pytest.raises(UnavailableError):
            await nobody.leave_by_force()


async def test_a_manager_is_not_let_go(swarm: Swarm, engines: Any) -> None:
    async with Engine(engines[0].url) as manager:
        with pytest.raises(RefusedError, match="demote it before it leaves"):
            await manager.leave()
        assert (await manager.membership()).is_manager


async def test_a_worker_knows_its_managers_and_its_node(
    swarm: Swarm, engine: Engine, engines: Any, eventually: Eventually
) -> None:
    joining = ticket(await swarm.token(Role.WORKER), engines[0].address)
    await engine.join(joining, address=engines[1].address)
    found = await engine.membership()

    assert found.managers == (f"{engines[0].address}:{SWARM_PORT}",)
    assert not found.is_manager
    assert found.node in {node.id for node in await swarm.nodes()}


@pytest.fixture
def shell(ground: Path, engines: Any) -> str:
    """An image of this machine's shell, on the manager and on the worker."""
    programs = ("/bin/sh", "/bin/sleep")
    linked = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    files = dict.fromkeys((*programs, *re.findall(r"(/\S+) \(0x", linked)))
    archive, name = ground / "shell.tar", "127.0.0.1:9/shell:1"
    subprocess.run(
        ["tar", "-chf", str(archive), "-C", "/", *(file.lstrip("/") for file in files)], check=True
    )
    for machine in engines[:2]:
        machine.docker("import", str(archive), name)
    return name


async def test_a_worker_that_leaves_lets_its_tasks_end_first(
    swarm: Swarm, engine: Engine, engines: Any, shell: str, tmp_path: Path, eventually: Eventually
) -> None:
    """An engine that leaves by itself kills them at once."""
    token = await swarm.token(Role.WORKER)
    joining = Ticket(token, (f"{engines[0].address}:{SWARM_PORT}",), Availability.ACTIVE)
    await engine.join(joining, address=engines[1].address)
    log = tmp_path / "log"
    script = "trap 'echo told >>/out/log; sleep 0.3; echo ended >>/out/log; exit' TERM;"
    script += "echo up >>/out/log; while :; do sleep 0.1; done"
    try:
        engines[0].docker(
            *("service", "create", "--detach", "--no-resolve-image", "--name", "leaving"),
            *("--constraint", "node.role==worker", "--mount", f"type=bind,src={tmp_path},dst=/out"),
            *("--env", "PATH=/bin", shell, "sh", "-c", script),
        )

        async def is_up() -> bool:
            # The engine lists a container a moment after its process has started.
            return log.exists() and bool(engines[1].docker("ps", "--quiet"))

        await eventually(is_up)
        await engine.leave()
    finally:
        engines[0].docker("service", "rm", "leaving")

    assert (await engine.state())[0] == "inactive"
    assert log.read_text().split()[:3] == ["up", "told", "ended"]
