"""The lab's AWS refuses what AWS would refuse; without that every test of identity is empty."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waiting import PATIENCE

from lab.aws.clients import MANAGER, VISITOR, WORKER, client
from lab.aws.loopback import Loopback, loopback, seat
from lab.aws.metadata import TOKEN_HEADER, TTL_HEADER
from lab.places import ACCOUNT

PREFIX = "/spotswarm/demo"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Loopback]:
    with loopback() as opened:
        ssm = opened.account.client("ssm")
        for name in ("leader/key", "operator/ca.key", "founder"):
            ssm.put_parameter(Name=f"{PREFIX}/{name}", Value="x", Type="SecureString")
        yield opened


def as_instance(cloud: Loopback, role: str, service: str) -> Any:
    """A client with the credentials that the metadata service gives an instance of the role."""
    instance = cloud.launch(role)
    host, port = cloud.metadata.removeprefix("http://").split(":")
    path = f"/latest/meta-data/iam/security-credentials/{role}"

    def ask(method: str, path: str, header: str, value: str) -> bytes:
        connection = http.client.HTTPConnection(
            host, int(port), source_address=(seat(instance.address), 0), timeout=5 * PATIENCE
        )
        with closing(connection):
            connection.request(method, path, headers={header: value})
            return connection.getresponse().read()

    token = ask("PUT", "/latest/api/token", TTL_HEADER, "9").decode()
    found = json.loads(ask("GET", path, TOKEN_HEADER, token))
    return client(
        cloud.account.endpoint,
        service,
        found["AccessKeyId"],
        found["SecretAccessKey"],
        found["Token"],
    )


def refusal(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**asked)
    return str(raised.value.response["Error"]["Code"])


def is_denied(call: Any, **asked: Any) -> bool:
    """By the status alone: moto's codes for a denial are not those of AWS."""
    with pytest.raises(ClientError) as raised:
        call(**asked)
    return bool(raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403)


def test_a_wrong_signature_is_refused(cloud: Loopback) -> None:
    forged = client(cloud.account.endpoint, "sts", cloud.account.key, "not-the-secret")

    assert refusal(forged.get_caller_identity) == "SignatureDoesNotMatch"


def test_an_unknown_key_is_refused(cloud: Loopback) -> None:
    unknown = client(cloud.account.endpoint, "sts", "AKIAIOSFODNN7EXAMPLE", "anything")

    assert refusal(unknown.get_caller_identity) == "InvalidClientTokenId"


@pytest.mark.parametrize("role", [WORKER, VISITOR, MANAGER])
def test_every_instance_may_prove_who_it_is(cloud: Loopback, role: str) -> None:
    arn = as_instance(cloud, role, "sts").get_caller_identity()["Arn"]

    assert arn.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/i-")


@pytest.mark.parametrize("role", [WORKER, VISITOR])
def test_a_worker_cannot_read_the_clusters_secrets(cloud: Loopback, role: str) -> None:
    ssm = as_instance(cloud, role, "ssm")

    assert is_denied(ssm.get_parameter, Name=f"{PREFIX}/leader/key")
    assert is_denied(ssm.get_parameters_by_path, Path=f"{PREFIX}/leader")


@pytest.mark.parametrize("role", [WORKER, VISITOR])
def test_a_worker_may_not_even_look_at_instances(cloud: Loopback, role: str) -> None:
    ec2 = as_instance(cloud, role, "ec2")

    assert is_denied(ec2.describe_instances)


def test_a_manager_reads_what_is_the_leaders(cloud: Loopback) -> None:
    ssm = as_instance(cloud, MANAGER, "ssm")

    found = ssm.get_parameters_by_path(Path=f"{PREFIX}/leader", WithDecryption=True)

    assert [one["Name"] for one in found["Parameters"]] == [f"{PREFIX}/leader/key"]


def test_a_manager_cannot_read_what_is_the_operators(cloud: Loopback) -> None:
    ssm = as_instance(cloud, MANAGER, "ssm")

    names = [f"{PREFIX}/leader/key", f"{PREFIX}/operator/ca.key"]

    assert is_denied(ssm.get_parameter, Name=names[1])
    assert is_denied(ssm.get_parameters, Names=names)
    assert is_denied(ssm.get_parameters_by_path, Path=PREFIX)


def test_a_manager_moves_the_address_and_writes_who_founded(cloud: Loopback) -> None:
    instance = cloud.launch(MANAGER)

    as_instance(cloud, MANAGER, "ec2").associate_address(
        AllocationId=cloud.account.allocation, InstanceId=instance.id, AllowReassociation=True
    )
    as_instance(cloud, MANAGER, "ssm").put_parameter(
        Name=f"{PREFIX}/founder", Value=instance.id, Type="String", Overwrite=True
    )


def test_a_manager_may_terminate_and_not_launch(cloud: Loopback) -> None:
    ec2 = as_instance(cloud, MANAGER, "ec2")
    instance = cloud.launch(WORKER)

    launching = {"ImageId": cloud.account.image, "MinCount": 1, "MaxCount": 1}

    assert is_denied(ec2.run_instances, **launching)
    ended = ec2.terminate_instances(InstanceIds=[instance.id])["TerminatingInstances"]
    assert [one["InstanceId"] for one in ended] == [instance.id]


def test_a_worker_may_not_terminate_and_not_hear_the_queue(cloud: Loopback) -> None:
    instance = cloud.launch(WORKER)

    terminate = as_instance(cloud, WORKER, "ec2").terminate_instances
    assert is_denied(terminate, InstanceIds=[instance.id])
    receive = as_instance(cloud, WORKER, "sqs").receive_message
    assert is_denied(receive, QueueUrl=cloud.account.queue)


def test_nobody_can_take_a_session_named_like_an_instance(cloud: Loopback) -> None:
    """Not even who may do anything: the roles trust EC2 alone."""
    sts = cloud.account.client("sts")
    asked = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{WORKER}",
        "RoleSessionName": "i-0123456789abcdef0",
    }

    assert is_denied(sts.assume_role, **asked)


def test_every_launch_lands_in_the_labs_network_with_its_own_address(cloud: Loopback) -> None:
    ec2 = cloud.account.client("ec2")
    several = ec2.run_instances(
        ImageId=cloud.account.image,
        MinCount=3,
        MaxCount=3,
        IamInstanceProfile={"Name": WORKER},
    )["Instances"]
    ids = [one["InstanceId"] for one in several]

    held = ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"]

    addresses = {one["PrivateIpAddress"] for one in held}
    assert len(addresses) == 3
    assert all(address.startswith("10.98.0.") for address in addresses)
    assert "10.98.0.1" not in addresses
    assert all(one["IamInstanceProfile"]["Arn"].endswith(WORKER) for one in held)


def test_a_launch_template_says_market_profile_and_metadata(cloud: Loopback) -> None:
    ec2 = cloud.account.client("ec2")
    ec2.create_launch_template(
        LaunchTemplateName="workers",
        LaunchTemplateData={
            "ImageId": cloud.account.image,
            "InstanceType": "t3.small",
            "IamInstanceProfile": {"Name": WORKER},
            "InstanceMarketOptions": {"MarketType": "spot"},
            "MetadataOptions": {"HttpPutResponseHopLimit": 2},
        },
    )

    made = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "workers"}, MinCount=1, MaxCount=1
    )["Instances"][0]

    held = ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]
    one = held["Instances"][0]
    assert one["InstanceLifecycle"] == "spot"
    assert one["IamInstanceProfile"]["Arn"].endswith(WORKER)
    assert one["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
