"""The lab's AWS and metadata service without machines, on the loopback, in a process of its own.

For tests of what the two answer. Instances are launched as ever; the one with the private address
10.98.0.N is whoever asks the metadata service from 127.0.0.N. Rule: moto's state belongs to its
process, so this is never run inside the test's.
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
    """A cloud that listens on the loopback alone."""

    account: Account
    metadata: str
    """URL of the metadata service."""
    market: Orders

    def launch(self, profile: str | None, *, user_data: str = "", spot: bool = True) -> Instance:
        """Launch an instance; no machine comes of it."""
        asked = {
            "ImageId": self.account.image,
            "InstanceType": "t3.small",
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": user_data,
            **({"IamInstanceProfile": {"Name": profile}} if profile else {}),
            **({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}),
        }
        made = self.account.client("ec2").run_instances(**asked)["Instances"][0]
        return Instance(
            id=made["InstanceId"],
            address=made["PrivateIpAddress"],
            state="running",
            zone=made["Placement"]["AvailabilityZone"],
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
    """The loopback address from which an instance's machine would ask."""
    return f"127.0.0.{address.rsplit('.', 1)[1]}"


@contextlib.contextmanager
def loopback(cluster: str = "demo") -> Iterator[Loopback]:
    """A furnished cloud for the time of a `with`."""
    with TemporaryDirectory(prefix="spotswarm-loopback-") as directory:
        kept = Path(directory) / "account.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.aws.loopback", str(kept), cluster],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise LabError("the loopback cloud did not start; its error is above")
            yield Loopback(Account.read(kept), url, Orders(_socket_beside(kept)))
        finally:
            process.kill()
            process.communicate()


def _socket_beside(kept: Path) -> Path:
    return kept.with_name("control.sock")


async def _serve(kept: Path, cluster: str) -> None:
    cloud = Cloud()
    cloud.open(_HOST, 0)
    furnished = account.furnish(cloud.endpoint, cluster, Places.here(DEFAULT_NAME))
    cloud.enforce()
    furnished.write(kept)

    def find(asker: str) -> Instance | None:
        running = (one for one in cloud.instances().values() if one.state == "running")
        return next((one for one in running if seat(one.address) == asker), None)

    def stages() -> dict[str, Stage]:
        running = (one for one in cloud.instances().values() if one.state == "running")
        return {one.id: Stage.BOOTED for one in running}

    market = Market(lambda body: cloud.send(account.queue_name(cluster), body))
    metadata = Metadata(find, cloud.credentials, market.text)
    runner = web.AppRunner(metadata.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "0.0.0.0", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with control.serving(_socket_beside(kept), market, cloud.instances):
        print(f"http://{_HOST}:{port}", flush=True)
        await taking.follow(market, cloud, stages=stages, reboot=_leave)


def _leave(_instance: str) -> None:
    """There is no machine to boot again."""


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
