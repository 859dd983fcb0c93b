"""The cluster's EC2 instances: descriptions, console output and termination."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from leader.edges.aws.clients import Aws
from leader.view.ids import InstanceId
from leader.view.model import Instance
from leader.view.rows import Rows
from runtime.batching import Batcher
from runtime.errors import GoneError
from runtime.faults import Faults
from wire.labels import TAG_CLUSTER, TAG_ROLE

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef

_APPEARS_WITHIN = (0.5, 1.0, 2.0)
"""Pauses between attempts, in seconds. DescribeInstances may not return a new instance yet
(eventual consistency). If EC2 takes even longer, the instance's agent sends a new request."""

_LIVING: Final = ["pending", "running", "stopping", "stopped", "shutting-down"]

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

    def __init__(self, aws: Aws, *, cluster: str, faults: Faults | None = None) -> None:
        self._aws = aws
        self._cluster = cluster
        self._faults = faults or Faults()
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

    async def _describe(
        self, instances: Sequence[InstanceId]
    ) -> Sequence[Instance | Exception | None]:
        # A filter leaves out an instance that does not exist; `InstanceIds` would refuse them all.
        answer = await self._aws.call(
            f"describe {instances[0]}" + (" and others" if len(instances) > 1 else ""),
            self._aws.ec2.describe_instances,
            Filters=[{"Name": "instance-id", "Values": sorted(set(instances))}],
        )
        descriptions: dict[str, Instance | Exception] = {}
        for raw in _descriptions(answer):
            try:
                descriptions[_id_of(raw)] = _instance(raw)
            # A description that cannot be read fails the request of its own instance only.
            except Exception as exc:  # noqa: BLE001
                descriptions[_id_of(raw)] = exc
        return [descriptions.get(instance) for instance in instances]

    async def all(self, missing: Collection[InstanceId] = ()) -> Rows[Instance]:
        """Return all instances that have our cluster tag and are not terminated.

        Those of `missing` that EC2 still knows follow, in any state: EC2 lists a terminated
        instance for about an hour, but removes its tags earlier. Instances that cannot be read are
        left out.
        """
        tagged: FilterTypeDef = {"Name": f"tag:{TAG_CLUSTER}", "Values": [self._cluster]}
        living: FilterTypeDef = {"Name": "instance-state-name", "Values": _LIVING}
        listed = await self._aws.call("list the cluster's instances", self._list, tagged, living)
        unlisted = sorted(set(missing) - set(map(_id_of, listed)))
        if unlisted:
            by_id: FilterTypeDef = {"Name": "instance-id", "Values": unlisted}
            listed += await self._aws.call("list the missing instances", self._list, by_id)
        instances, unread = self._faults.readable("rows of instances", listed, _instance)
        return Rows(instances, map(_id_of, unread))

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

    def _list(self, *filters: "FilterTypeDef") -> tuple[Any, ...]:
        pages = self._aws.ec2.get_paginator("describe_instances").paginate(Filters=[*filters])
        return tuple(raw for page in pages for raw in _descriptions(page))


def _descriptions(answer: Mapping[str, Any]) -> Iterator[Any]:
    for reservation in answer.get("Reservations") or ():
        if isinstance(reservation, Mapping):
            yield from reservation.get("Instances") or ()
        else:
            yield reservation


def _instance(raw: Mapping[str, Any]) -> Instance:
    """Read one instance; a description in another format raises KeyError, TypeError or similar."""
    tags = {tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])}
    instance = Instance(
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
        other_addresses=_other_addresses(raw),
    )
    fields = (instance.id, instance.state, instance.zone, instance.type, *instance.addresses)
    if not all(isinstance(value, str) for value in fields):
        raise TypeError("an instance's description contains a value of another type")
    return instance


def _id_of(raw: object) -> str:
    name = raw.get("InstanceId") if isinstance(raw, Mapping) else None
    return name if isinstance(name, str) else ""


def _other_addresses(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the private addresses of all network interfaces, except the primary one."""
    addresses = (
        address
        for interface in raw.get("NetworkInterfaces") or ()
        for address in (
            *(entry.get("PrivateIpAddress") for entry in interface.get("PrivateIpAddresses") or ()),
            *(entry.get("Ipv6Address") for entry in interface.get("Ipv6Addresses") or ()),
        )
        if address
    )
    primary = raw.get("PrivateIpAddress")
    return tuple(each for each in dict.fromkeys(addresses) if each != primary)
