"""The AWS of the lab: moto's server in this process, with signatures and policies enforced.

Rule: moto leaves out some of what EC2 does; what the product relies on is added in `lab.aws.gaps`,
nowhere else. And it checks no signature unless told to: `enforce` proves that it does.
"""

import base64
import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError
from moto import settings as moto_settings
from moto.backends import get_backend
from moto.core.authorization import ActionAuthenticatorMixin
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from lab.aws import gaps
from lab.aws.clients import client
from lab.host import LabError
from lab.places import ACCOUNT, REGION

_SESSION: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as EC2 has it."""

    id: str
    address: str
    state: str
    zone: str
    type: str
    is_spot: bool
    role: str | None
    image: str
    user_data: bytes | None
    hop_limit: int
    shows_tags: bool
    ends_on_shutdown: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the metadata service hands to an instance with a role."""

    key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


class Cloud:
    """moto in this process. One at a time: moto's state belongs to the process."""

    def __init__(self) -> None:
        self._server: ThreadedMotoServer | None = None
        self.endpoint = ""

    def open(
        self, address: str, port: int, *, console: Callable[[str], bytes] = lambda _: b""
    ) -> None:
        """Serve at an address; port 0 takes any. Nothing is checked until `enforce`.

        `console` is what an instance's machine said, by instance id.
        """
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        gaps.close(_ec2(), console)
        self._server = ThreadedMotoServer(address, port, verbose=False)
        self._server.start()
        host, bound = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{bound}"

    def close(self) -> None:
        """Stop serving and forget everything."""
        if self._server:
            self._server.stop()
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        moto_api_backend.reset()

    def enforce(self) -> None:
        """From now on check signatures and policies.

        Raises:
            LabError: a wrong signature still passes; every test of identity would be worth nothing.
        """
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        ActionAuthenticatorMixin.request_count = 0
        forged = client(self.endpoint, "sts", "AKIAIOSFODNN7EXAMPLE", "forged")
        try:
            forged.get_caller_identity()
        except ClientError:
            return
        raise LabError(
            "moto accepts a forged signature: this version does not enforce signatures. "
            "Install the one in requirements/dev.txt."
        )

    def instances(self) -> dict[str, Instance]:
        """All instances, terminated ones included, by id."""
        found: dict[str, Instance] = {}
        for reservation in list(_ec2().reservations.values()):
            for one in list(reservation.instances):
                found[one.id] = self._instance(one)
        return found

    def _instance(self, one: Any) -> Instance:
        return Instance(
            id=one.id,
            address=one.private_ip,
            state=one.state,
            zone=one.placement.zone,
            type=one.instance_type,
            is_spot=one.lifecycle == "spot",
            role=_role(one.iam_instance_profile),
            image=one.image_id,
            user_data=_user_data(one.user_data),
            hop_limit=one.metadata_options.http_put_response_hop_limit,
            shows_tags=one.metadata_options.instance_metadata_tags == "enabled",
            # A one-time spot instance cannot be stopped: it ends.
            ends_on_shutdown=one.lifecycle == "spot"
            or one.instance_initiated_shutdown_behavior == "terminate",
            tags=dict(_ec2().tags.get(one.id, {})),
        )

    def addresses(self) -> dict[str, str]:
        """Elastic IPs that lead somewhere, and the private address of the running instance."""
        found = {}
        for one in list(_ec2().addresses):
            if one.instance is not None and one.instance.state == "running":
                found[one.public_ip] = one.instance.private_ip
        return found

    def credentials(self, role: str, instance: str) -> Credentials:
        """New credentials of a role for an instance, as EC2 gets them.

        Not by AssumeRole: the roles trust EC2 alone, so nobody can name himself an instance.
        """
        sts: Any = get_backend("sts")[ACCOUNT]["aws"]
        session = sts.assume_role(
            region_name=REGION,
            role_session_name=instance,
            role_arn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
            policy=None,
            duration=int(_SESSION.total_seconds()),
            external_id=None,
        )
        return Credentials(
            key=session.access_key_id,
            secret=session.secret_access_key,
            token=session.session_token,
            expires=session.expiration.replace(tzinfo=UTC),
        )

    def was_shut_down(self, instance: Instance) -> None:
        """The machine powered itself off: EC2 stops or terminates the instance."""
        act = _ec2().terminate_instances if instance.ends_on_shutdown else _ec2().stop_instances
        act([instance.id])

    def terminate(self, instance: str) -> None:
        """EC2 ends an instance of its own accord."""
        _ec2().terminate_instances([instance])

    def stop(self, instance: str) -> None:
        """EC2 stops an instance of its own accord."""
        _ec2().stop_instances([instance])

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue, as EventBridge does."""
        sqs: Any = get_backend("sqs")[ACCOUNT][REGION]
        sqs.send_message(queue, body)

    def free(self, address: str) -> None:
        """Let a destroyed machine's private address be used again; moto keeps it for ever."""
        for subnet in _ec2().describe_subnets():
            subnet.del_subnet_ip(address)


@contextlib.contextmanager
def serving(address: str, port: int = 0) -> Iterator[Cloud]:
    """A cloud for the time of a `with`."""
    cloud = Cloud()
    cloud.open(address, port)
    try:
        yield cloud
    finally:
        cloud.close()


def _ec2() -> Any:
    return get_backend("ec2")[ACCOUNT][REGION]


def _role(profile: Mapping[str, str] | None) -> str | None:
    if not profile:
        return None
    iam: Any = get_backend("iam")[ACCOUNT]["aws"]
    for one in list(iam.instance_profiles.values()):
        if one.arn == profile.get("Arn") and one.roles:
            return str(one.roles[0].name)
    return None


def _user_data(held: Any) -> bytes | None:
    if not held:
        return None
    return _decoded(held if isinstance(held, str) else held.as_bytes())


@functools.lru_cache(maxsize=256)
def _decoded(text: str | bytes) -> bytes:
    """Instances are looked at many times a second, and their user data never changes."""
    return base64.b64decode(text)
