"""Sets up the lab's AWS account: a user, roles, a network, a queue and an Elastic IP.

The managers' permissions are based on the policy in `docs/operations.md`, so the lab denies most
calls that AWS would deny. Workers have no permissions, because they need none to prove their
identity.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab.aws.clients import MANAGER, VISITOR, WORKER, client
from lab.places import ACCOUNT, REGION, ZONES, Places


@dataclass(frozen=True, slots=True)
class Account:
    """The lab's AWS account: its access key and its resources."""

    endpoint: str
    key: str
    secret: str = field(repr=False)
    allocation: str
    """The allocation id of the leader's Elastic IP."""
    subnets: Mapping[str, str]
    """Zone → subnet id."""
    images: Mapping[str, str]
    """Engine → the id of the image with that engine."""
    image: str
    """The id of an AWS image; machines that boot this image get the lab's default engine."""
    queue: str
    """The URL of the queue for EventBridge's events; machines use the same URL."""
    cluster: str

    def client(self, service: str) -> Any:
        """Return a boto3 client that uses the lab's access key, which has full access."""
        return client(self.endpoint, service, self.key, self.secret)

    def write(self, path: Path) -> None:
        """Save the account for other processes, in a file that only root can read."""
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self)), encoding="ascii")
        draft.rename(path)

    @classmethod
    def read(cls, path: Path) -> "Account":
        """Read the account from a file that `write` created."""
        return cls(**json.loads(path.read_text(encoding="ascii")))


def furnish(endpoint: str, cluster: str, places: Places, engines: Iterable[str] = ()) -> Account:
    """Create all resources in an empty account, including an image for each engine.

    Call this before `Cloud.enforce`, because an empty account has no valid access key.
    """

    def open_client(service: str) -> Any:
        return client(endpoint, service, "unchecked", "unchecked")

    iam = open_client("iam")
    key, secret = _admin(iam)
    for role, statements in policies(cluster).items():
        _role(iam, role, statements)
    ec2 = open_client("ec2")
    subnets = _network(ec2, places.network)
    address = ec2.allocate_address(Domain="vpc", Address=str(places.leader_address))
    image = open_client("ssm").get_parameter(
        Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    )
    queue = open_client("sqs").create_queue(
        QueueName=queue_name(cluster),
        Attributes={"MessageRetentionPeriod": "300", "VisibilityTimeout": "20"},
    )
    return Account(
        endpoint=endpoint,
        key=key,
        secret=secret,
        allocation=address["AllocationId"],
        subnets=subnets,
        images={engine: _image(ec2, engine) for engine in engines},
        image=image["Parameter"]["Value"],
        queue=queue["QueueUrl"],
        cluster=cluster,
    )


def _image(ec2: Any, engine: str) -> str:
    described = f"The lab's machines with Docker engine {engine}"
    registered = ec2.register_image(Name=f"spotswarm-engine-{engine}", Description=described)
    return str(registered["ImageId"])


def queue_name(cluster: str) -> str:
    """Return the name of the cluster's queue."""
    return f"spotswarm-{cluster}"


def policies(cluster: str) -> dict[str, list[dict[str, Any]]]:
    """Return the roles' policy statements, by role name."""
    parameters = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/spotswarm/{cluster}"
    manager = [
        {
            "Effect": "Allow",
            "Action": [
                "ec2:DescribeInstances",
                "ec2:DescribeVpcs",
                "ec2:DescribeAddresses",
                "ec2:AssociateAddress",
                "ec2:GetConsoleOutput",
                "ec2:TerminateInstances",
            ],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParametersByPath"],
            "Resource": [f"{parameters}/leader", f"{parameters}/leader/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParameter", "ssm:PutParameter"],
            "Resource": [f"{parameters}/founder"],
        },
        {
            "Effect": "Allow",
            "Action": [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                # On AWS, sqs:DeleteMessage includes this action; moto checks it separately.
                "sqs:DeleteMessageBatch",
            ],
            "Resource": [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name(cluster)}"],
        },
    ]
    return {MANAGER: manager, WORKER: [], VISITOR: []}


def _admin(iam: Any) -> tuple[str, str]:
    anything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    iam.create_user(UserName="lab")
    iam.put_user_policy(UserName="lab", PolicyName="anything", PolicyDocument=json.dumps(anything))
    access_key = iam.create_access_key(UserName="lab")["AccessKey"]
    return access_key["AccessKeyId"], access_key["SecretAccessKey"]


def _role(iam: Any, name: str, statements: list[dict[str, Any]]) -> None:
    # Only EC2 may assume the role. Otherwise, any user could open a session with an instance's
    # name.
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    if statements:
        policy = {"Version": "2012-10-17", "Statement": statements}
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _network(ec2: Any, network: IPv4Network) -> dict[str, str]:
    """Replace the default VPC's subnets with the lab's; return the ids of the new ones, by zone."""
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    for old in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=old["SubnetId"])
    ec2.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock=str(network))
    subnets = {}
    for zone, block in zip(ZONES, blocks(network), strict=False):
        subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=str(block), AvailabilityZone=zone)[
            "Subnet"
        ]
        ec2.modify_subnet_attribute(
            SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": False}
        )
        subnets[zone] = subnet["SubnetId"]
    return subnets


def blocks(network: IPv4Network) -> list[IPv4Network]:
    """Return the address block of each zone's subnet."""
    return list(network.subnets(new_prefix=network.prefixlen + 2))
