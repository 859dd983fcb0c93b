"""The lab's AWS: an in-process moto server that enforces signatures and policies.

Rule: moto lacks some EC2 behaviour that the product relies on; add such behaviour only in
`lab.aws.gaps`. By default, moto does not check signatures; `enforce` turns these checks on and
verifies that they work.
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
    """An instance as EC2 describes it."""

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
    """Temporary credentials that an instance with a role gets from the metadata service."""

    key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime


class Cloud:
    """An in-process moto server. Run only one server at a time, because moto's state is global."""

    def __init__(self) -> None:
        self._server: ThreadedMotoServer | None = None
        self._terminated: dict[str, Instance] = {}
        self.endpoint = ""

    def open(
        self, address: str, port: int, *, console: Callable[[str], bytes] = lambda _: b""
    ) -> None:
        """Start the server at an address; port 0 selects a free port.

        The server accepts every request until `enforce` is called. `console` returns the console
        output of an instance's machine, given the instance id.
        """
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        gaps.close(_ec2(), console)
        self._server = ThreadedMotoServer(address, port, verbose=False)
        self._server.start()
        host, bound = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{bound}"

    def close(self) -> None:
        """Stop the server, and delete all of moto's state."""
        if self._server:
            self._server.stop()
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        moto_api_backend.reset()
        self._terminated.clear()

    def enforce(self) -> None:
        """Check signatures and policies from now on.

        Raises:
            LabError: if moto still accepts an invalid signature.
        """
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        ActionAuthenticatorMixin.request_count = 0
        forged = client(self.endpoint, "sts", "AKIAIOSFODNN7EXAMPLE", "forged")
        try:
            forged.get_caller_identity()
        except ClientError:
            return
        raise LabError(
            "moto accepted a forged signature, so this version does not enforce signatures: "
            "install the version in requirements/dev.txt"
        )

    def instances(self) -> dict[str, Instance]:
        """Return all instances by id, including terminated ones."""
        instances: dict[str, Instance] = {}
        for reservation in list(_ec2().reservations.values()):
            for moto_instance in list(reservation.instances):
                # Moto keeps terminated instances, and the lab asks twenty times a second.
                instance = self._terminated.get(moto_instance.id) or self._instance(moto_instance)
                if instance.state == "terminated":
                    self._terminated[instance.id] = instance
                instances[instance.id] = instance
        return instances

    def _instance(self, moto_instance: Any) -> Instance:
        return Instance(
            id=moto_instance.id,
            address=moto_instance.private_ip,
            state=moto_instance.state,
            zone=moto_instance.placement.zone,
            type=moto_instance.instance_type,
            is_spot=moto_instance.lifecycle == "spot",
            role=_role(moto_instance.iam_instance_profile),
            image=moto_instance.image_id,
            user_data=_user_data(moto_instance.user_data),
            hop_limit=moto_instance.metadata_options.http_put_response_hop_limit,
            shows_tags=moto_instance.metadata_options.instance_metadata_tags == "enabled",
            # A one-time spot instance cannot be stopped, so EC2 terminates it.
            ends_on_shutdown=moto_instance.lifecycle == "spot"
            or moto_instance.instance_initiated_shutdown_behavior == "terminate",
            tags=dict(_ec2().tags.get(moto_instance.id, {})),
        )

    def addresses(self) -> dict[str, str]:
        """Map each Elastic IP of a running instance to the instance's private address."""
        private_addresses = {}
        for elastic_ip in list(_ec2().addresses):
            if elastic_ip.instance is not None and elastic_ip.instance.state == "running":
                private_addresses[elastic_ip.public_ip] = elastic_ip.instance.private_ip
        return private_addresses

    def credentials(self, role: str, instance: str) -> Credentials:
        """Return new credentials for a role, like those that EC2 gives to an instance.

        This method bypasses the AssumeRole API, because the roles trust only EC2.
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
        """Stop or terminate an instance whose machine powered itself off, as EC2 does."""
        act = _ec2().terminate_instances if instance.ends_on_shutdown else _ec2().stop_instances
        act([instance.id])

    def terminate(self, instance: str) -> None:
        """Terminate an instance without an API call, as EC2 does after an interruption notice."""
        _ec2().terminate_instances([instance])

    def stop(self, instance: str) -> None:
        """Stop an instance without an API call, as EC2 does after an interruption notice."""
        _ec2().stop_instances([instance])

    def send(self, queue: str, body: str) -> None:
        """Send a message to a queue, as EventBridge does."""
        sqs: Any = get_backend("sqs")[ACCOUNT][REGION]
        sqs.send_message(queue, body)

    def free(self, address: str) -> None:
        """Release a destroyed machine's private address, so that moto can reuse it."""
        for subnet in _ec2().describe_subnets():
            subnet.del_subnet_ip(address)


@contextlib.contextmanager
def serving(address: str, port: int = 0) -> Iterator[Cloud]:
    """Run a moto server for the duration of a `with` block."""
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
    for instance_profile in list(iam.instance_profiles.values()):
        if instance_profile.arn == profile.get("Arn") and instance_profile.roles:
            return str(instance_profile.roles[0].name)
    return None


def _user_data(user_data: Any) -> bytes | None:
    if not user_data:
        return None
    return _decoded(user_data if isinstance(user_data, str) else user_data.as_bytes())


@functools.lru_cache(maxsize=256)
def _decoded(text: str | bytes) -> bytes:
    """Decode user data from base64.

    The result is cached, because the daemon reads every instance's user data several times a
    second.
    """
    return base64.b64decode(text)
