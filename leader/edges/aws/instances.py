"""The cluster's EC2 instances: descriptions, console output and termination."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any, Final

from leader.edges.aws.clients import Aws
from leader.view.ids import InstanceId
from leader.view.model import Instance
from runtime.batching import Batcher
from runtime.errors import GoneError
from wire.labels import TAG_CLUSTER, TAG_ROLE

_APPEARS_WITHIN = (0.5, 1.0, 2.0)
"""Pauses between attempts, in seconds. DescribeInstances may not return a new instance yet
(eventual consistency). If EC2 takes even longer, the instance's agent sends a new request."""

_DESCRIBED_AT_ONCE: Final = 100
"""EC2 takes up to 200 values in a filter.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

_CONSOLE_BYTES: Final = 64 * 1024
"""The amount of console output that EC2 stores.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
"""


class Instances:
    """Describes and terminates instances, and reads their console output.

    All methods raise the same errors as `Aws.call`.
    """

    def __init__(self, aws: Aws, *, cluster: str) -> None:
        self._aws = aws
        self._cluster = cluster
        self._described: Batcher[InstanceId, Instance | None] = Batcher(
            self._describe, most=_DESCRIBED_AT_ONCE
        )

    async def describe(self, instance: InstanceId) -> Instance:
        """Return the instance with this id, regardless of its state and tags.

        Instances that are looked up at the same time share one call.

        Raises:
            GoneError: if the instance does not exist in EC2.
        """
        for pause in (*_APPEARS_WITHIN, None):
            description = await self._described.submit(instance)
            if description is not None:
                return description
            if pause is not None:
                await asyncio.sleep(pause)
        raise GoneError(f"EC2 has no instance {instance}")

    async def _describe(self, instances: Sequence[InstanceId]) -> Sequence[Instance | None]:
        # A filter leaves out an instance that does not exist; `InstanceIds` would refuse them all.
        answer = await self._aws.call(
            f"describe {instances[0]}" + (" and others" if len(instances) > 1 else ""),
            self._aws.ec2.describe_instances,
            Filters=[{"Name": "instance-id", "Values": sorted(set(instances))}],
        )
        descriptions = {description.id: description for description in _instances(answer)}
        return [descriptions.get(instance) for instance in instances]

    async def all(self) -> tuple[Instance, ...]:
        """Return all instances that have our cluster tag and are not terminated."""
        return await self._aws.call("list the cluster's instances", self._list)

    async def terminate(self, instance: InstanceId) -> None:
        """Terminate an instance; do nothing if it no longer exists."""
        with suppress(GoneError):
            await self._aws.call(
                f"terminate {instance}",
                self._aws.ec2.terminate_instances,
                InstanceIds=[instance],
            )

    async def console(self, instance: InstanceId) -> str:
        """Return the end of the instance's console output, which is often empty.

        The output may contain secrets.
        """
        answer = await self._aws.call(
            f"read the console output of {instance}",
            self._aws.ec2.get_console_output,
            InstanceId=instance,
        )
        # botocore has already decoded the base64 data and replaced invalid bytes.
        printed = str(answer.get("Output") or "").encode(errors="replace")
        return printed[-_CONSOLE_BYTES:].decode(errors="replace")

    def _list(self) -> tuple[Instance, ...]:
        pages = self._aws.ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": f"tag:{TAG_CLUSTER}", "Values": [self._cluster]},
                {
                    "Name": "instance-state-name",
                    "Values": ["pending", "running", "stopping", "stopped", "shutting-down"],
                },
            ]
        )
        return tuple(instance for page in pages for instance in _instances(page))


def _instances(answer: Mapping[str, Any]) -> Iterator[Instance]:
    for reservation in answer.get("Reservations", []):
        for raw in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}
            yield Instance(
                id=InstanceId(raw["InstanceId"]),
                state=raw["State"]["Name"],
                # A missing value means on-demand; "capacity-block" and "scheduled" are not spot.
                lifecycle="spot" if raw.get("InstanceLifecycle") == "spot" else "on-demand",
                zone=raw["Placement"]["AvailabilityZone"],
                type=raw["InstanceType"],
                address=raw.get("PrivateIpAddress", ""),
                cluster=tags.get(TAG_CLUSTER),
                role=tags.get(TAG_ROLE),
                launched=raw["LaunchTime"].astimezone(UTC),
            )
