"""The overlay networks that the leader makes, on real engines, and the VPC's blocks by moto."""

import json
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Network
from typing import Any

import pytest

from leader.edges.aws import vpc
from leader.edges.aws.clients import Aws
from leader.edges.docker.swarm import Swarm
from leader.upkeep.subnets import PREFIX
from runtime.errors import GoneError, RefusedError

Eventually = Callable[..., Awaitable[Any]]

VPC = IPv4Network("10.240.0.0/12")


def shown(machine: Any, name: str) -> list[dict[str, Any]]:
    """Each network of exactly this name. Engine 20.10 filters the swarm's networks differently."""
    listed = machine.docker("network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}")
    ids = [line.split()[0] for line in listed.splitlines() if line.split()[1] == name]
    return [json.loads(machine.docker("network", "inspect", one))[0] for one in ids]


async def subnet_of(machine: Any, name: str, eventually: Eventually) -> IPv4Network:
    """A network's subnet; Swarm gives it to the network a moment after the network was made."""

    async def given() -> str | None:
        blocks = [
            one for network in shown(machine, name) for one in network["IPAM"]["Config"] or ()
        ]
        return blocks[0]["Subnet"] if blocks else None

    return IPv4Network(await eventually(given, every=0.2))


async def test_in_a_swarm_of_small_networks_ours_are_large_and_meet_no_other(
    swarm: Swarm, engines: Any, eventually: Eventually
) -> None:
    for name in ("large-1", "large-2"):
        assert await swarm.ensure_network(name, avoid=[VPC])
    first = await subnet_of(engines[0], "large-1", eventually)
    second = await subnet_of(engines[0], "large-2", eventually)
    assert first.prefixlen == second.prefixlen == PREFIX
    assert not first.overlaps(second)
    assert not any(subnet.overlaps(VPC) for subnet in (first, second))
    pool = IPv4Network("10.77.0.0/16")
    assert await swarm.ensure_network("large-3", pool=pool)
    assert (await subnet_of(engines[0], "large-3", eventually)).subnet_of(pool)


async def test_a_local_network_of_that_name_is_no_overlay_network(
    swarm: Swarm, engines: Any
) -> None:
    engines[0].docker("network", "create", "namesake")
    try:
        refusal = ""
        try:
            assert await swarm.ensure_network("namesake")
        except RefusedError as exc:
            refusal = str(exc)
        drivers = {network["Driver"] for network in shown(engines[0], "namesake")}
        if refusal:
            # Engines since 25 refuse a name that a local network has.
            assert refusal.startswith("could not create the network namesake")
            assert "run `docker network rm namesake` on this manager" in refusal
            assert drivers == {"bridge"}
        else:
            assert drivers == {"bridge", "overlay"}
            assert not await swarm.ensure_network("namesake")
    finally:
        for network in shown(engines[0], "namesake"):
            engines[0].docker("network", "rm", network["Id"])
    assert await swarm.ensure_network("namesake")


async def test_a_refusal_that_is_not_about_a_name_blames_no_network(swarm: Swarm) -> None:
    with pytest.raises(RefusedError) as caught:
        await swarm.ensure_network("no/name")
    assert "in the way" not in str(caught.value)


async def test_a_swarm_is_founded_with_a_pool_of_large_networks(
    engines: Any, eventually: Eventually
) -> None:
    alone = engines[2]
    async with Swarm(alone.url) as founded:
        await founded.init(address=alone.address, pool=VPC)
        assert await founded.ensure_network("proxy", avoid=[IPv4Network("10.0.0.0/16")])
    for name in ("ingress", "proxy"):
        subnet = await subnet_of(alone, name, eventually)
        assert subnet.subnet_of(VPC)
        assert subnet.prefixlen == PREFIX


async def test_the_blocks_of_an_instances_vpc_are_all_that_are_associated(
    cloud: Any, aws: Aws
) -> None:
    ec2 = cloud.client("ec2")
    made = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=made, CidrBlock="10.21.0.0/16")
    subnet = ec2.create_subnet(VpcId=made, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    launched = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)
    instance = launched["Instances"][0]["InstanceId"]
    try:
        assert set(await vpc.blocks_of(aws, instance)) == {
            IPv4Network("10.20.0.0/16"),
            IPv4Network("10.21.0.0/16"),
        }
    finally:
        ec2.terminate_instances(InstanceIds=[instance])
    with pytest.raises(GoneError):
        await vpc.blocks_of(aws, "i-00000000000000000")
