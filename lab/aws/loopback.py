"""Runs the lab's AWS and metadata services on the loopback interface, without machines.

Tests use this module to check both services' responses. The metadata service treats a client
at 127.0.0.N as the instance with the private address 10.98.0.N.

Rule: moto's state is global, so the services run in a separate process, never in the test process.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aiohttp import web

from lab.aws import account, control, taking
from lab.aws.account import Account
from lab.aws.cloud import Cloud, Instance
from lab.aws.market import Market
from lab.aws.metadata import Metadata
from lab.aws.orders import Orders
from lab.host import LabError
from lab.machines.record import Stage
from lab.places import DEFAULT_NAME, Places

_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Loopback:
    """A simulated AWS that listens on the loopback interface."""

    account: Account
    metadata: str
    """The metadata service's URL."""
    market: Orders

    def launch(self, profile: str | None, *, user_data: str = "", spot: bool = True) -> Instance:
        """Launch an instance that has no machine."""
        request = {
            "ImageId": self.account.image,
            "InstanceType": "t3.small",
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": user_data,
            **({"IamInstanceProfile": {"Name": profile}} if profile else {}),
            **({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}),
        }
        instance = self.account.client("ec2").run_instances(**request)["Instances"][0]
        return Instance(
            id=instance["InstanceId"],
            address=instance["PrivateIpAddress"],
            state="running",
            zone=instance["Placement"]["AvailabilityZone"],
            type="t3.small",
            is_spot=spot,
            role=profile,
            image=self.account.image,
            user_data=user_data.encode() or None,
            hop_limit=1,
            shows_tags=False,
            ends_on_shutdown=spot,
        )


def seat(address: str) -> str:
    """Return the loopback address that represents an instance's machine."""
    return f"127.0.0.{address.rsplit('.', 1)[1]}"


@contextlib.contextmanager
def loopback(cluster: str = "demo") -> Iterator[Loopback]:
    """Run the simulated AWS and the metadata service for the duration of a `with` block.

    The AWS account already contains roles, subnets and a queue.
    """
    with TemporaryDirectory(prefix="spotswarm-loopback-") as directory:
        account_file = Path(directory) / "account.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.aws.loopback", str(account_file), cluster],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise LabError("the loopback cloud did not start; see its error output above")
            yield Loopback(Account.read(account_file), url, Orders(_socket_beside(account_file)))
        finally:
            process.kill()
            process.communicate()


def _socket_beside(account_file: Path) -> Path:
    return account_file.with_name("control.sock")


async def _serve(account_file: Path, cluster: str) -> None:
    cloud = Cloud()
    cloud.open(_HOST, 0)
    furnished = account.furnish(cloud.endpoint, cluster, Places.here(DEFAULT_NAME))
    cloud.enforce()
    furnished.write(account_file)

    def find(asker: str) -> Instance | None:
        running = (
            instance for instance in cloud.instances().values() if instance.state == "running"
        )
        return next((instance for instance in running if seat(instance.address) == asker), None)

    def stages() -> dict[str, Stage]:
        running = (
            instance for instance in cloud.instances().values() if instance.state == "running"
        )
        return {instance.id: Stage.BOOTED for instance in running}

    market = Market(lambda body: cloud.send(account.queue_name(cluster), body))
    metadata = Metadata(find, cloud.credentials, market.text)
    runner = web.AppRunner(metadata.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "0.0.0.0", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with control.serving(_socket_beside(account_file), market, cloud.instances):
        print(f"http://{_HOST}:{port}", flush=True)
        await taking.follow(market, cloud, stages=stages, reboot=_leave)


def _leave(_instance: str) -> None:
    """Do nothing, because there is no machine to reboot."""


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
