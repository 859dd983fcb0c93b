"""The lab's metadata service, over real sockets: as strict as EC2's, and its credentials real."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from lab.aws.clients import MANAGER, WORKER, client
from lab.aws.cloud import Instance
from lab.aws.loopback import Loopback, loopback, seat
from lab.aws.metadata import TOKEN_HEADER, TTL_HEADER


@pytest.fixture(scope="module")
def cloud() -> Iterator[Loopback]:
    with loopback() as opened:
        yield opened


@pytest.fixture(scope="module")
def worker(cloud: Loopback) -> Instance:
    return cloud.launch(WORKER, user_data="#spotswarm\n")


@asynccontextmanager
async def machine(cloud: Loopback, address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that asks from where the machine with this address would."""
    connector = aiohttp.TCPConnector(local_addr=(seat(address), 0))
    async with aiohttp.ClientSession(cloud.metadata, connector=connector) as session:
        yield session


async def token_of(session: aiohttp.ClientSession, ttl: str = "60") -> str:
    async with session.put("/latest/api/token", headers={TTL_HEADER: ttl}) as answer:
        assert answer.status == 200
        assert answer.headers[TTL_HEADER] == ttl
        return await answer.text()


async def read(session: aiohttp.ClientSession, path: str, token: str) -> tuple[int, str]:
    async with session.get(f"/latest/{path}", headers={TOKEN_HEADER: token}) as answer:
        return answer.status, await answer.text()


async def test_without_a_token_nothing_is_told(cloud: Loopback, worker: Instance) -> None:
    async with machine(cloud, worker.address) as session:
        async with session.get("/latest/meta-data/instance-id") as answer:
            assert answer.status == 401
        assert (await read(session, "meta-data/instance-id", "invented"))[0] == 401


async def test_with_a_token_a_machine_learns_who_it_is(cloud: Loopback, worker: Instance) -> None:
    async with machine(cloud, worker.address) as session:
        token = await token_of(session)

        told = {
            path: (await read(session, f"meta-data/{path}", token))[1]
            for path in (
                "instance-id",
                "instance-type",
                "instance-life-cycle",
                "local-ipv4",
                "placement/region",
                "placement/availability-zone",
            )
        }
        user_data = await read(session, "user-data", token)

    assert told == {
        "instance-id": worker.id,
        "instance-type": "t3.small",
        "instance-life-cycle": "spot",
        "local-ipv4": worker.address,
        "placement/region": "eu-central-1",
        "placement/availability-zone": worker.zone,
    }
    assert user_data == (200, "#spotswarm\n")


async def test_another_machines_token_is_none(cloud: Loopback, worker: Instance) -> None:
    other = cloud.launch(MANAGER, spot=False)
    async with machine(cloud, worker.address) as session:
        stolen = await token_of(session)
    async with machine(cloud, other.address) as session:
        assert (await read(session, "meta-data/instance-id", stolen))[0] == 401
        own = await token_of(session)
        assert (await read(session, "meta-data/instance-life-cycle", own))[1] == "on-demand"


async def test_a_forwarded_request_gets_no_token(cloud: Loopback, worker: Instance) -> None:
    headers = {TTL_HEADER: "60", "X-Forwarded-For": "203.0.113.1"}
    async with (
        machine(cloud, worker.address) as session,
        session.put("/latest/api/token", headers=headers) as answer,
    ):
        assert answer.status == 403


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "soon", ""])
async def test_a_lifetime_out_of_range_is_a_bad_request(
    cloud: Loopback, worker: Instance, ttl: str
) -> None:
    async with (
        machine(cloud, worker.address) as session,
        session.put("/latest/api/token", headers={TTL_HEADER: ttl}) as answer,
    ):
        assert answer.status == 400


async def test_who_is_no_instance_is_told_nothing(cloud: Loopback) -> None:
    async with (
        machine(cloud, "10.98.0.250") as session,
        session.put("/latest/api/token", headers={TTL_HEADER: "60"}) as answer,
    ):
        assert answer.status == 404


async def test_a_terminated_instance_is_told_nothing(cloud: Loopback) -> None:
    instance = cloud.launch(WORKER)
    async with machine(cloud, instance.address) as session:
        token = await token_of(session)
        cloud.account.client("ec2").terminate_instances(InstanceIds=[instance.id])

        assert (await read(session, "meta-data/instance-id", token))[0] == 404


async def test_the_roles_credentials_are_real(cloud: Loopback, worker: Instance) -> None:
    folder = "meta-data/iam/security-credentials/"
    async with machine(cloud, worker.address) as session:
        token = await token_of(session)
        role = await read(session, folder, token)
        async with session.get(
            f"/latest/{folder}{WORKER}", headers={TOKEN_HEADER: token}
        ) as answer:
            held: dict[str, Any] = await answer.json(content_type=None)
        foreign = await read(session, folder + MANAGER, token)

    sts = client(
        cloud.account.endpoint, "sts", held["AccessKeyId"], held["SecretAccessKey"], held["Token"]
    )
    assert role == (200, WORKER)
    assert foreign[0] == 404
    assert sts.get_caller_identity()["Arn"].endswith(f":assumed-role/{WORKER}/{worker.id}")


async def test_credentials_stay_the_same_until_they_near_their_end(
    cloud: Loopback, worker: Instance
) -> None:
    path = f"meta-data/iam/security-credentials/{WORKER}"
    async with machine(cloud, worker.address) as session:
        token = await token_of(session)
        texts = {(await read(session, path, token))[1].split("LastUpdated")[0] for _ in range(2)}
        keys = {(await read(session, path, token))[1].split("AccessKeyId")[1] for _ in range(2)}

    assert len(texts) == len(keys) == 1


@pytest.mark.parametrize(
    "path",
    [
        "meta-data/spot/instance-action",
        "meta-data/events/recommendations/rebalance",
        "meta-data/no-such-thing",
        "meta-data/tags/instance/spotswarm:role",
    ],
)
async def test_what_is_not_there_is_not_found(cloud: Loopback, worker: Instance, path: str) -> None:
    async with machine(cloud, worker.address) as session:
        assert (await read(session, path, await token_of(session)))[0] == 404


async def test_an_instance_without_a_profile_has_no_credentials(cloud: Loopback) -> None:
    bare = cloud.launch(None)
    async with machine(cloud, bare.address) as session:
        token = await token_of(session)

        assert (await read(session, "meta-data/iam/security-credentials/", token))[0] == 404
