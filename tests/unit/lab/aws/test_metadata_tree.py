"""What stands where in the metadata tree."""

from dataclasses import replace

from lab.aws.cloud import Instance
from lab.aws.metadata import about, identity_document

WORKER = Instance(
    id="i-0123456789abcdef0",
    address="10.98.0.4",
    state="running",
    zone="eu-central-1a",
    type="t3.small",
    is_spot=True,
    role="spotswarm-worker",
    image="ami-1",
    user_data=None,
    hop_limit=1,
    shows_tags=False,
    ends_on_shutdown=True,
    tags={"spotswarm:role": "worker", "a": "b"},
)


def test_an_on_demand_instance_says_so() -> None:
    assert about(WORKER, "instance-life-cycle") == "spot"
    assert about(replace(WORKER, is_spot=False), "instance-life-cycle") == "on-demand"


def test_the_local_name_is_ec2s() -> None:
    assert about(WORKER, "local-hostname") == "ip-10-98-0-4.eu-central-1.compute.internal"


def test_tags_are_told_only_where_the_launch_said_so() -> None:
    open_one = replace(WORKER, shows_tags=True)

    assert about(WORKER, "tags/instance/a") is None
    assert about(open_one, "tags/instance/a") == "b"
    assert about(open_one, "tags/instance/") == "a\nspotswarm:role"
    assert about(open_one, "tags/instance/c") is None


def test_the_identity_document_names_instance_and_account() -> None:
    document = identity_document(WORKER)

    assert document["instanceId"] == WORKER.id
    assert document["privateIp"] == WORKER.address
    assert document["accountId"] == "123456789012"
