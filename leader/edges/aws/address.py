"""The Elastic IP: the active leader holds it, so that agents find the broker at one address."""

from leader.edges.aws.clients import Aws


async def take(aws: Aws, *, allocation: str, instance: str) -> bool:
    """Associate the address with this instance; True if it was not before.

    There is only one Raft leader, so it may take the address from another instance.
    """
    answer = await aws.call(
        "looking up the Elastic IP",
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
