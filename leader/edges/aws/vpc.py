"""Reads the address blocks of the VPC that an instance is in."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from leader.edges.aws.clients import Aws


async def blocks_of(aws: Aws, instance: str) -> tuple[IPv4Network, ...]:
    """Return the IPv4 blocks of the instance's VPC.

    Raises the same errors as `Aws.call`.
    """
    answer = await aws.call(
        f"describe {instance}", aws.ec2.describe_instances, InstanceIds=[instance]
    )
    vpcs = [
        str(description["VpcId"])
        for reservation in answer.get("Reservations", [])
        for description in reservation["Instances"]
        if description.get("VpcId")
    ]
    if not vpcs:
        return ()
    described = await aws.call(f"describe {vpcs[0]}", aws.ec2.describe_vpcs, VpcIds=vpcs[:1])
    return tuple(block for vpc in described.get("Vpcs", []) for block in _blocks(vpc))


def _blocks(vpc: Mapping[str, Any]) -> Iterator[IPv4Network]:
    yield IPv4Network(vpc["CidrBlock"])
    for associated in vpc.get("CidrBlockAssociationSet", []):
        if (block := IPv4Network(associated["CidrBlock"])) != IPv4Network(vpc["CidrBlock"]):
            yield block
