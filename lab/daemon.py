"""The lab's daemon, which runs the simulated AWS and the hypervisor.

Rule: the daemon does not clean up when it stops. Only `lab.sweep` takes a lab down, and it can do
so even after the daemon has crashed.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final

import structlog
from aiohttp import web

from lab import dns, sharing
from lab.aws import account, control, elastic, taking
from lab.aws.cloud import Cloud
from lab.aws.market import Market
from lab.aws.metadata import Metadata
from lab.engines import ENGINES
from lab.host import LabError, prefer_this_process
from lab.machines import console, firewall, net
from lab.machines.hypervisor import Hypervisor
from lab.places import AWS_PORT, METADATA, Places
from runtime import lifecycle, logs

log: Final = structlog.get_logger("lab.daemon")


async def serve(places: Places, cluster: str) -> None:
    """Run the lab until cancelled; the lab is ready as soon as its account file exists."""
    sharing.claim(places)
    net.up(places)
    firewall.up(places)
    cloud = Cloud()
    await asyncio.to_thread(
        lambda: cloud.open(
            str(places.gateway), AWS_PORT, console=lambda name: console.tail(places.machines, name)
        )
    )
    furnished = await asyncio.to_thread(account.furnish, cloud.endpoint, cluster, places, ENGINES)
    await asyncio.to_thread(cloud.enforce)
    default = places.engine.read_text(encoding="ascii")
    engines = {image: engine for engine, image in furnished.images.items()}

    def layers(image: str) -> str:
        listed = places.layers(engines.get(image, default))
        if not listed.exists():
            raise LabError(
                f"the image {image} has not been baked: launch the instance with "
                "`python -m lab launch --engine`, which bakes the image"
            )
        return ":".join(listed.read_text(encoding="utf-8").split())

    market = Market(lambda body: cloud.send(account.queue_name(cluster), body))
    hypervisor = Hypervisor(cloud, places, layers, grace=market.grace)
    metadata = Metadata(hypervisor.find, cloud.credentials, market.text)
    async with (
        _serving(metadata.application(), places.bridge),
        dns.serving(places.network, str(places.gateway)),
        control.serving(places.control, market, cloud.instances),
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(hypervisor.run(), name="hypervisor")
        following = taking.follow(market, cloud, stages=hypervisor.stages, reboot=hypervisor.reboot)
        tasks.create_task(following, name="spot market")
        tasks.create_task(elastic.follow(cloud, places), name="elastic addresses")
        furnished.write(places.account)
        log.info("the lab is up", endpoint=cloud.endpoint)


@contextlib.asynccontextmanager
async def _serving(app: web.Application, bridge: str) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every lab serves this address, so each lab accepts requests only from its own bridge.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode())
        listener.bind((str(METADATA), 80))
        try:
            await web.SockSite(runner, listener).start()
            yield
        finally:
            await runner.cleanup()


async def _serve_or_say_why(places: Places, cluster: str) -> None:
    try:
        await serve(places, cluster)
    except (LabError, OSError) as exc:
        log.exception("could not start the lab")
        places.failure.write_text(str(exc), encoding="utf-8")


def main() -> int:
    """Run the lab named in the environment; the second argument is the cluster's name."""
    logs.configure()
    # The machines depend on this process, so they are slow whenever it is slow.
    prefer_this_process()
    # With the default of 5 ms, moto's threads would delay the metadata service.
    sys.setswitchinterval(0.0005)
    # By default, moto's server logs every call.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # The lab must never use a developer's own AWS key by mistake.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    return lifecycle.run(_serve_or_say_why(Places.here(), sys.argv[2]), name="lab.daemon")


if __name__ == "__main__":
    # moto's server threads and a cancelled thread pool would keep the process alive.
    code = main()
    sys.stderr.flush()
    os._exit(code)
