"""The Elastic IP: the active leader's, so that agents find the broker at one address."""

from leader.edges.aws.clients import Aws


async def take(aws: Aws, *, allocation: str, instance: str) -> bool:
    """Associate the address with this instance; True if it was elsewhere before.

    The Raft leader is unique, so taking the address from another instance is right.
    """
    answer = await aws.call(
        "looking where the Elastic IP is",
        aws.ec2.describe_addresses,
        AllocationIds=[allocation],
    )
    if any(address.get("InstanceId") == instance for address in answer["Addresses"]):
        return False
    await aws.call(
        "taking the Elastic IP",
        aws.ec2.associate_address,
        AllocationId=allocation,
        InstanceId=instance,
        AllowReassociation=True,
    )
    return True
