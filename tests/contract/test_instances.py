"""Instances listed, read and ended, against moto's EC2; their consoles on a real disk."""

import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from leader.edges import consoles
from leader.edges.aws.clients import Aws
from leader.edges.aws.fleet import Fleet, NoFleet
from leader.edges.aws.instances import Instances
from leader.view.ids import InstanceId
from runtime import clock
from runtime.errors import GoneError, RefusedError
from wire.labels import TAG_CLUSTER

CLUSTER = "instances"


@pytest.fixture
def instances(aws: Aws) -> Instances:
    return Instances(aws, cluster=CLUSTER)


@pytest.fixture
def launched(cloud: Any) -> Iterator[InstanceId]:
    ec2 = cloud.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"Key": TAG_CLUSTER, "Value": CLUSTER}]
    made = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    instance = InstanceId(made["Instances"][0]["InstanceId"])
    yield instance
    ec2.terminate_instances(InstanceIds=[instance])


async def test_an_instance_tells_when_it_was_launched(
    instances: Instances, launched: InstanceId
) -> None:
    (found,) = [each for each in await instances.all() if each.id == launched]
    assert found.launched is not None
    assert found.launched.tzinfo is UTC
    assert abs((clock.now() - found.launched).total_seconds()) < 60


async def test_a_terminated_instance_is_listed_by_id_only_and_terminating_again_is_done(
    instances: Instances, launched: InstanceId, cloud: Any
) -> None:
    await instances.terminate(launched)
    # EC2 removes a terminated instance's tags before it stops listing the instance.
    cloud.client("ec2").delete_tags(Resources=[launched], Tags=[{"Key": TAG_CLUSTER}])
    assert launched not in {each.id for each in await instances.all()}
    nowhere = InstanceId("i-00000000000000000")
    found = {each.id: each.state for each in await instances.all((launched, nowhere))}
    assert nowhere not in found
    assert found[launched] in {"shutting-down", "terminated"}
    assert (await instances.describe(launched)).state in {"shutting-down", "terminated"}
    await instances.terminate(launched)
    await instances.terminate(InstanceId("i-00000000000000000"))


async def test_an_instance_has_the_addresses_of_all_its_network_interfaces(
    instances: Instances, launched: InstanceId, cloud: Any
) -> None:
    ec2 = cloud.client("ec2")
    described = ec2.describe_instances(InstanceIds=[launched])["Reservations"][0]["Instances"][0]
    second = ec2.create_network_interface(SubnetId=described["SubnetId"])["NetworkInterface"]
    ec2.attach_network_interface(
        NetworkInterfaceId=second["NetworkInterfaceId"], InstanceId=launched, DeviceIndex=1
    )
    found = await instances.describe(launched)
    assert found.addresses[0] == described["PrivateIpAddress"]
    assert second["PrivateIpAddress"] in found.addresses


async def test_a_console_is_text(instances: Instances, launched: InstanceId) -> None:
    printed = await instances.console(launched)
    assert "Linux version" in printed
    with pytest.raises(GoneError):
        await instances.console(InstanceId("i-00000000000000000"))


def test_a_console_is_kept_for_root_alone_without_secrets(tmp_path: Path) -> None:
    instance = InstanceId("i-0123456789abcdef0")
    directory = tmp_path / "deeper" / "consoles"
    path = consoles.save(instance, "joining with SWMTKN-1-abc-def ✓\n", directory=directory)
    assert path == directory / "i-0123456789abcdef0.txt"
    assert path.read_text() == "joining with [hidden] ✓\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    consoles.save(instance, "later, \ud800 which is no text", directory=directory)
    assert path.read_text() == "later, ? which is no text"
    assert list(directory.iterdir()) == [path]


def test_of_more_than_fifty_consoles_the_oldest_go(tmp_path: Path) -> None:
    for number in range(53):
        path = consoles.save(InstanceId(f"i-{number:017x}"), "x", directory=tmp_path)
        os.utime(path, (number, number))
    consoles.save(InstanceId("i-0000000000000ffff"), "x", directory=tmp_path)
    kept = sorted(path.stem for path in tmp_path.iterdir())
    assert len(kept) == 50
    assert kept[0] == f"i-{4:017x}"
    assert kept[-1] == "i-0000000000000ffff"


def test_a_name_that_is_not_an_instance_id_gets_no_file(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the instance id is invalid"):
        consoles.save(InstanceId("../../etc/passwd"), "x", directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        RefusedError, match="could not save the console output of i-0123456789abcdef0"
    ):
        consoles.save(InstanceId("i-0123456789abcdef0"), "x", directory=tmp_path / "file")


async def test_no_fleet_says_that_somebody_must_launch_a_replacement() -> None:
    fleet: Fleet = NoFleet()
    with pytest.raises(RefusedError, match=r"no fleet is configured; launch a replacement for i-1"):
        await fleet.replace(InstanceId("i-1"), avoid=[("t3.small", "eu-central-1a")])
