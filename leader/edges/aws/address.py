"""Moves the Elastic IP to the active leader, so that agents can always reach the broker."""

from leader.edges.aws.clients import Aws


async def take(aws: Aws, *, allocation: str, instance: str) -> bool:
    """Associate the Elastic IP with this instance; return False if it was already associated.

    Only the Raft leader calls this method, so taking the address from another instance is safe.
    """
    answer = await aws.call(
        "look up the Elastic IP",
        aws.ec2.describe_addresses,
        AllocationIds=[allocation],
    )
    if any(address.get("InstanceId") == instance for address in answer["Addresses"]):
        return False
    await aws.call(
        "associate the Elastic IP",
        aws.ec2.associate_address,
        AllocationId=allocation,
        InstanceId=instance,
        AllowReassociation=True,
    )
    return True
