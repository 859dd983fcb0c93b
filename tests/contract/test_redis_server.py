"""Redis as the leader's child and as its container: it serves, and it ends with the leader."""
# ruff: noqa: ASYNC220, ASYNC240  a look into /proc and a fork, with no other work in the loop

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from leader.edges.broker import connection as broker
from leader.edges.broker.redis_server import CONTAINER, ContainerRedis
from leader.settings import DEFAULT_IMAGE
from runtime.errors import RefusedError, UnavailableError

CLUSTER = "contract"
Eventually = Callable[..., Awaitable[Any]]


async def test_the_child_serves_tls_to_agents_and_leader(cluster: Any, brokers: Any) -> None:
    async with brokers.running() as connected:
        assert await connected.waiting() == 0


async def test_the_child_runs_as_nobody_with_no_secret_in_sight(brokers: Any) -> None:
    async with brokers.server() as server, brokers.connected():
        process = Path(f"/proc/{server._process.pid}")
        status = (process / "status").read_text()
        seen = (process / "cmdline").read_text() + (process / "environ").read_text()
        for secret in (brokers.cluster.secrets.agent_password, brokers.cluster.secrets.leader_key):
            assert secret.get_secret_value() not in seen
        assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)


async def test_leaving_ends_the_child_and_takes_its_files(brokers: Any) -> None:
    async with brokers.server() as server, brokers.connected():
        pid = server._process.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not brokers.directory.exists()


async def test_the_end_of_the_child_is_told(brokers: Any) -> None:
    async with brokers.server() as server, brokers.connected():
        server._process.kill()
        async with asyncio.timeout(60):
            assert await server.ended() == "redis-server exited with code -9"


async def test_a_broker_that_is_silent_when_its_connection_is_closed_fails_nothing(
    brokers: Any,
) -> None:
    async with brokers.server() as server:
        try:
            async with brokers.connected():
                server._process.send_signal(signal.SIGSTOP)
        finally:
            server._process.send_signal(signal.SIGCONT)


async def test_a_port_that_is_taken_ends_the_child(cluster: Any, brokers: Any) -> None:
    async with brokers.server(), brokers.connected():
        second = type(brokers)(cluster, brokers.directory.with_suffix(".second"))
        async with second.server() as late:
            async with asyncio.timeout(60):
                assert "redis-server exited with code 1" in await late.ended()


async def test_connecting_where_no_redis_is_gives_up_in_time(cluster: Any) -> None:
    with pytest.raises(UnavailableError, match="the broker is not responding"):
        async with broker.connected(
            cluster.secrets, cluster=CLUSTER, port=cluster.port, within=0.3
        ):
            pytest.fail("connected to nothing")


PARENT = """
    import asyncio, sys
    from runtime import logs
    from pathlib import Path
    from leader.edges.broker import connection
    from leader.edges.broker.redis_server import ProcessRedis
    from wire.cluster_secrets import ClusterSecrets

    async def main():
        files = {file.name: file.read_text() for file in Path(sys.argv[2]).iterdir()}
        secrets = ClusterSecrets.from_files(files)
        port = int(sys.argv[3])
        server = ProcessRedis(Path(sys.argv[1]), cluster="contract", secrets=secrets, port=port)
        async with server, connection.connected(secrets, cluster="contract", port=port):
            print(server._process.pid, flush=True)
            await asyncio.Event().wait()

    logs.configure()
    asyncio.run(main())
"""


async def test_a_leader_killed_hard_leaves_no_redis_behind(
    cluster: Any, brokers: Any, tmp_path: Path, eventually: Eventually
) -> None:
    for name, text in cluster.secrets.to_files().items():
        (tmp_path / name).write_text(text)
    leader = subprocess.Popen(
        [
            *(sys.executable, "-c", textwrap.dedent(PARENT)),
            *(str(brokers.directory), str(tmp_path), str(cluster.port)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(broker.__file__).parents[3])},
    )
    assert leader.stdout is not None
    try:
        child = int(await asyncio.to_thread(leader.stdout.readline))
        assert Path(f"/proc/{child}").exists()
        leader.send_signal(signal.SIGKILL)
        leader.wait(60)

        async def gone() -> bool:
            return not Path(f"/proc/{child}").exists()

        assert await eventually(gone)
        async with brokers.running() as connected:
            assert await connected.waiting() == 0
    finally:
        leader.kill()
        leader.wait(60)
        leader.stdout.close()


@pytest.fixture(scope="module")
def engine(host_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine with an image `redis:7`.

    No registry is at hand here: the image is made of this machine's redis-server and the
    libraries it links, and stands for the official one. It has the same program name, no
    shell, and is run by number of user as ours does with the official one.
    """
    linked = subprocess.run(
        ["ldd", "/usr/bin/redis-server"], capture_output=True, text=True, check=True
    ).stdout
    libraries = re.findall(r"(/\S+) \(0x", linked)
    place = tmp_path_factory.mktemp("image")
    for folder in ("tmp", "etc"):
        (place / folder).mkdir()
    archive = place / "image.tar"
    subprocess.run(
        [
            *("tar", "-chf", str(archive), "-C", "/", "usr/bin/redis-server"),
            *(library.lstrip("/") for library in libraries),
            *("-C", str(place), "tmp", "etc"),
        ],
        check=True,
    )
    host_engine.docker("import", "-c", "ENV PATH=/usr/bin:/bin", str(archive), DEFAULT_IMAGE)
    return host_engine


def container(engine: Any, cluster: Any, ground: Path) -> ContainerRedis:
    return ContainerRedis(
        ground / f"container-{cluster.port}",
        cluster=CLUSTER,
        secrets=cluster.secrets,
        port=cluster.port,
        image=DEFAULT_IMAGE,
        docker_url=engine.url,
    )


async def test_the_container_serves_tls_and_is_gone_after(
    engine: Any, cluster: Any, ground: Path, brokers: Any, eventually: Eventually
) -> None:
    async with container(engine, cluster, ground):
        async with brokers.connected() as connected:
            assert await connected.waiting() == 0
        shown = engine.docker("inspect", CONTAINER)
        for secret in (cluster.secrets.agent_password, cluster.secrets.leader_password):
            assert secret.get_secret_value() not in shown

    async def is_gone() -> bool:
        return engine.docker("ps", "-aq") == ""

    # The leader waits ten seconds for it, and the engine removes it all the same.
    assert await eventually(is_gone)
    assert not (ground / f"container-{cluster.port}").exists()


async def test_the_container_of_a_killed_leader_is_replaced(
    engine: Any, cluster: Any, ground: Path, brokers: Any
) -> None:
    async with container(engine, cluster, ground) as lost:
        before = engine.docker("ps", "-aq", "--no-trunc")
        async with container(engine, cluster, ground), brokers.connected() as connected:
            assert await connected.waiting() == 0
            after = engine.docker("ps", "-aq", "--no-trunc")
            assert after != before
            assert len(after.split()) == 1
        with pytest.raises((UnavailableError, RefusedError, Exception)):
            await lost._container.show()


async def test_the_end_of_the_container_is_told(
    engine: Any, cluster: Any, ground: Path, brokers: Any
) -> None:
    async with container(engine, cluster, ground) as server, brokers.connected():
        ended = asyncio.create_task(server.ended())
        await asyncio.to_thread(engine.docker, "kill", CONTAINER)
        async with asyncio.timeout(60):
            assert await ended == "the broker's container exited with code 137"


async def test_without_an_engine_the_container_is_away_not_refused(
    cluster: Any, ground: Path
) -> None:
    server = ContainerRedis(
        ground / "no-engine",
        cluster=CLUSTER,
        secrets=cluster.secrets,
        port=cluster.port,
        image=DEFAULT_IMAGE,
        docker_url=f"unix://{ground}/no-engine.sock",
    )
    with pytest.raises(UnavailableError):
        async with server:
            pytest.fail("started without an engine")
