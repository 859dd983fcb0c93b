"""Runs the leader, or the floor, as a process of its own, so that its time and memory are its own.

The leader is wired by `leader.daemon`; only its engine and AWS are stand-ins, from
`bench.storm.outside`. The floor makes the same round trips through the same Redis: it takes each
message from the list and pushes a reply of the same size, without opening, proving or deciding
anything. Prints a JSON line
when it is ready, and when a flood begins or ends.
"""

import argparse
import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.storm import people
from leader import daemon as leader_daemon
from leader.daemon import Daemon
from leader.edges.aws.clients import Aws
from leader.edges.aws.founder import FileFoundingRight
from leader.edges.broker.connection import Broker, connected
from leader.edges.broker.redis_server import ProcessRedis
from leader.edges.docker.swarm import Swarm
from leader.settings import LeaderTable, Settings
from runtime import lifecycle, logs
from runtime.errors import UnavailableError
from runtime.streams import resilient, together
from wire.cluster_secrets import ClusterSecrets
from wire.instance import InstanceFacts

_LOOK_SECONDS: Final = 0.1
_REPLY: Final = b"x" * 450
"""About the size of a sealed grant."""


async def _lead(place: Path, *, port: int, aws_url: str) -> None:
    leader_daemon.OWN_RUN = place / "run"  # type: ignore[attr-defined]
    settings = Settings(
        cluster=people.CLUSTER,
        facts=InstanceFacts(
            instance=people.instance_of(people.MANAGER),
            region=people.REGION,
            zone=f"{people.REGION}a",
            type="t3.small",
            lifecycle="on-demand",
            address=people.address_of(people.MANAGER),
        ),
        table=LeaderTable(
            secrets=f"file:{place / 'secrets'}",
            broker="process",
            broker_port=port,
            aws_endpoint=aws_url,
            networks=(),
        ),
    )
    daemon = Daemon(settings)
    right = FileFoundingRight(place / "founder")
    async with (
        Swarm(url=f"unix://{place / 'engine.sock'}") as swarm,
        Aws(region=people.REGION, endpoint=aws_url) as aws,
    ):
        daemon._engine = await swarm.engine()  # noqa: SLF001  as the daemon does before it leads
        await together(
            lead=daemon._lead(swarm, aws, right),  # noqa: SLF001
            tell=_tell_changes(daemon),
        )


async def _tell_changes(daemon: Daemon) -> None:
    was_ready, was_flooded = False, False
    while True:
        status = daemon.status()
        if not was_ready and status.get("healthy"):
            was_ready = True
            _tell("ready")
        if status.get("flooded", False) != was_flooded:
            was_flooded = not was_flooded
            _tell("flooded" if was_flooded else "flood ended")
        await asyncio.sleep(_LOOK_SECONDS)


async def _floor(place: Path, *, port: int) -> None:
    secrets = ClusterSecrets.from_files(
        {file.name: file.read_text().rstrip("\n") for file in (place / "secrets").iterdir()}
    )
    redis = ProcessRedis(
        place / "run" / "broker", cluster=people.CLUSTER, secrets=secrets, port=port
    )
    async with redis, connected(secrets, cluster=people.CLUSTER, port=port, within=60) as broker:
        _tell("ready")
        # As in the leader, a call that times out on a busy host is made again.
        await resilient("requests", lambda: _reply_to_all(broker), ceiling=0.5)


async def _reply_to_all(broker: Broker) -> None:
    replying: set[asyncio.Task[None]] = set()
    while True:
        for data in (await broker.receive()).requests:
            task = asyncio.create_task(_reply(broker, data))
            replying.add(task)
            task.add_done_callback(replying.discard)


async def _reply(broker: Broker, data: bytes) -> None:
    with suppress(UnavailableError):
        await broker.answer(data[:32].decode(), _REPLY)


def _tell(event: str) -> None:
    print(json.dumps({"event": event}), flush=True)


def main() -> None:
    """Lead until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm.leading", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--aws", required=True, help="URL of the stand-in for AWS")
    parser.add_argument("--floor", action="store_true")
    options = parser.parse_args()
    logs.configure()
    work = (
        _floor(options.directory, port=options.port)
        if options.floor
        else _lead(options.directory, port=options.port, aws_url=options.aws)
    )
    raise SystemExit(lifecycle.run(work, name="storm"))


if __name__ == "__main__":
    main()
