"""The leader's settings: the `[leader]` table of user data, and facts about this machine.

The agent writes both to `/run/spotswarm` without interpreting the table. Outside AWS, an operator
can write them to `/etc/spotswarm`. Rule: a setting's name, limits, unit and default are defined
only here. Times that cannot be configured are in `leader.view.model.Policy`.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from leader.joining.intake import IntakePolicy
from leader.upkeep.subnets import PREFIX
from leader.view.model import Policy
from runtime.errors import RefusedError, UnavailableError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage

RUN: Final = Path("/run/spotswarm")
ETC: Final = Path("/etc/spotswarm")
OWN_RUN: Final = Path("/run/spotswarm-leader")
DEFAULT_IMAGE: Final = "redis:7"
ADMIN_SOCKET: Final = OWN_RUN / "admin.sock"


def _holds_a_network(pool: IPv4Network) -> IPv4Network:
    if pool.prefixlen > PREFIX or not pool.is_private:
        raise ValueError(f"must be a private IPv4 block of /{PREFIX} or larger")
    return pool


Positive = Annotated[int, Field(ge=1, le=user_data.MOST_SECONDS)]
ImageName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][A-Za-z0-9_.:/-]*(@sha256:[0-9a-f]{64})?$", max_length=400),
]
"""An image's name with an optional tag and an optional digest."""
Port = Annotated[int, Field(ge=1, le=65535)]
AddressPool = Annotated[IPv4Network, AfterValidator(_holds_a_network)]


class LeaderTable(BaseModel):
    """The settings in the `[leader]` table of user data.

    Unknown settings are ignored, because the user data may be newer than the image.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    secrets: Annotated[str, Field(pattern=r"^(ssm:/[\w./-]+|file:/.+)$")]
    """Where the cluster's secrets are stored: `ssm:/prefix` or `file:/directory`."""
    elastic_ip: str | None = None
    """The allocation id of the Elastic IP that the active leader takes over, if there is one."""
    broker: Literal["container", "process"] = "container"
    """Whether Redis runs in a private container or as a child process."""
    broker_image: ImageName | None = None
    """The image of the container, best with a digest: `redis:7@sha256:…`.

    None means the image that the machine image contains, or else `redis:7`.
    """
    broker_port: Port = 6380
    roles: tuple[str, ...] = ("spotswarm-worker", "spotswarm-manager")
    """The IAM roles that this cluster's instances may have."""
    aws_endpoint: str | None = None
    """A single endpoint for all AWS APIs, as in the lab; None for the region's own endpoints."""
    networks: tuple[str, ...] = ("proxy", "auth", "services")
    """The overlay networks to create."""
    address_pool: AddressPool | None = None
    """The addresses of overlay networks, such as `10.240.0.0/12`.

    By default, the leader chooses a block that the VPC does not use.
    """
    metrics_port: Port = 9180
    """The loopback port that serves `/healthz` and `/metrics`."""
    queue: str | None = None
    """The URL of the SQS queue with EC2's events; None if only agents report notices."""

    managers: Annotated[int, Field(ge=1, le=7)] = 3
    """How many managers the cluster should have; the leader denies any further managers."""
    identity: Literal["aws", "password"] = "aws"
    """How machines prove their identity.

    `password` admits any machine that knows the broker's password, but only as a worker.
    """
    worker_batch: Positive = 50
    """The number of grants after which the worker token is rotated."""
    worker_token_minutes: Positive = 60
    """The age at which the worker token is rotated if the token has been granted."""
    heartbeat: Literal["auto", "keep"] | Annotated[int, Field(ge=1, le=60)] = "auto"
    """The heartbeat period in seconds.

    `auto` chooses the period by the size of the swarm, and `keep` leaves the period unchanged.
    """
    drain_seconds: Positive = 90
    """How long a node has to leave if AWS has set no deadline."""
    hint_seconds: Positive = 1800
    """How long a node stays paused after a rebalance recommendation if no notice follows."""
    absent_seconds: Positive = 30
    """How long the instance of a Down node must be missing before the node is removed."""
    down_seconds: Positive = 600
    """How long a node may be Down before its running instance is terminated."""
    orphan_seconds: Positive = 900
    """How long a worker instance may run without joining before it is terminated."""
    removals_at_once: Positive = 3
    """How many nodes and instances may be removed per minute.

    If more of one kind seem gone and EC2 does not call them terminated, none of them is removed.
    """
    rebalance: bool = True
    """Whether services are rebalanced after a node joins."""
    rebalance_cooldown_seconds: Annotated[int, Field(ge=0, le=user_data.MOST_SECONDS)] = 60
    """How long to wait after a node joins before moving tasks to the node."""
    rebalances_per_hour: Positive = 60
    """How many tasks rebalancing may move per hour."""

    def policy(self, cluster: str) -> Policy:
        """Convert these settings into the leader's policy."""
        return Policy(
            cluster=cluster,
            managers=self.managers,
            identity=self.identity,
            worker_batch=self.worker_batch,
            worker_token_age=timedelta(minutes=self.worker_token_minutes),
            drain_within=timedelta(seconds=self.drain_seconds),
            hint_patience=timedelta(seconds=self.hint_seconds),
            absent_for=timedelta(seconds=self.absent_seconds),
            down_for=timedelta(seconds=self.down_seconds),
            orphan_after=timedelta(seconds=self.orphan_seconds),
            removals_at_once=self.removals_at_once,
            is_rebalancing=self.rebalance,
            rebalance_cooldown=timedelta(seconds=self.rebalance_cooldown_seconds),
            rebalances_per_hour=self.rebalances_per_hour,
            heartbeat=(
                timedelta(seconds=self.heartbeat) if isinstance(self.heartbeat, int) else None
            ),
            keeps_heartbeat=self.heartbeat == "keep",
        )


@dataclass(frozen=True)
class Settings:
    """The leader's complete configuration."""

    cluster: str
    facts: InstanceFacts
    table: LeaderTable
    broker_image: str = DEFAULT_IMAGE
    """The image of the broker's container."""
    unknown: tuple[str, ...] = ()
    """Names of settings that this version does not support."""

    @cached_property
    def policy(self) -> Policy:
        """The policy that the leader's decisions follow."""
        return self.table.policy(self.cluster)

    @property
    def intake(self) -> IntakePolicy:
        """The limits used to screen join requests."""
        return IntakePolicy(
            cluster=self.cluster,
            identity=self.policy.identity,
            regions=frozenset({self.facts.region}),
        )


def load(*, run: Path = RUN, etc: Path = ETC) -> Settings:
    """Read the leader's settings.

    Raises:
        UnavailableError: if the agent has not written the settings yet.
        RefusedError: if a setting is invalid; the message names each invalid setting.
    """
    text = _first(run / "leader.toml", etc / "leader.toml")
    facts_text = _first(run / "instance.json", etc / "instance.json")
    try:
        document = user_data.parse(text)
        facts = InstanceFacts.read(facts_text)
    except MalformedMessage as exc:
        raise RefusedError(str(exc)) from exc
    if document.leader is None:
        raise RefusedError("leader.toml has no [leader] table; see docs/operations.md")
    try:
        table = LeaderTable.model_validate(document.leader)
    except ValidationError as exc:
        raise RefusedError(
            f"the [leader] table of leader.toml is invalid: {user_data.faults(exc)}"
        ) from None
    unknown = tuple(name for name in document.leader if name not in LeaderTable.model_fields)
    return Settings(
        cluster=document.cluster,
        facts=facts,
        table=table,
        broker_image=table.broker_image or _recorded_image(etc / "broker-image") or DEFAULT_IMAGE,
        unknown=unknown,
    )


def _recorded_image(record: Path) -> str:
    """Return the broker's image that the machine image contains, or an empty string."""
    try:
        text = record.read_text().strip()
    except OSError:
        return ""
    try:
        return TypeAdapter(ImageName).validate_python(text)
    except ValidationError:
        raise RefusedError(
            f"{record} does not name an image; write a name like redis:7@sha256:…, or remove it"
        ) from None


def _first(*paths: Path) -> str:
    for path in paths:
        try:
            return path.read_text()
        except FileNotFoundError:
            continue
    raise UnavailableError(f"spotswarm-agent has not written {paths[0]} yet")
