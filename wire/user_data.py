"""The document `spotswarm init` prints and an instance boots with: TOML, one for each role.

EC2 hands it to whoever asks the metadata service, so it holds nothing that lets anybody
join: the broker's password keeps strangers off the broker, identity is proven apart. Rule:
unknown settings are ignored (an old AMI with new user data), and named by `unknown`.
"""

import tomllib
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from wire.messages import Cluster, MalformedMessage, Role, Secret
from wire.sealing import public_key

FIRST_LINE: Final = "#spotswarm"
"""Tells our user data from a shell script or a cloud-config; TOML reads it as a comment."""


class LeaderPart(BaseModel):
    """The settings of a manager's leader daemon."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    secrets: Annotated[str, Field(pattern=r"^(ssm:/[\w./-]+|file:/.+)$")]
    """Where the cluster's secrets are: `ssm:/prefix` or `file:/directory`."""
    managers: Annotated[int, Field(ge=1, le=7)] = 3
    """How many managers the cluster wants; more are denied a token."""
    elastic_ip: str | None = None
    """Allocation id of the address the active leader takes; none: the address is not ours."""
    broker: Literal["container", "process"] = "container"
    """Redis as a private container (image `redis:7`) or as a child process `redis-server`."""
    broker_port: Annotated[int, Field(ge=1, le=65535)] = 6380
    identity: Literal["aws", "password"] = "aws"
    """`password` admits machines outside AWS by the broker's password alone; workers only."""
    roles: tuple[str, ...] = ("spotswarm-worker", "spotswarm-manager")
    """The IAM roles an instance of this cluster may have."""
    aws_endpoint: str | None = None
    """One endpoint for every AWS API, in the lab; none: AWS's own regional endpoints."""
    networks: tuple[str, ...] = ("proxy", "auth", "services")
    """Overlay networks made with the swarm."""
    worker_batch: Annotated[int, Field(ge=1)] = 50
    """Worker grants after which the worker token is rotated."""
    worker_token_minutes: Annotated[int, Field(ge=1)] = 60
    """Age at which the worker token is rotated if any grant used it."""
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9180
    """Loopback port of `/healthz` and `/metrics`."""
    queue: str | None = None
    """URL of the SQS queue EventBridge sends EC2's notices to; none: the agents' notices alone."""
    heartbeat: Literal["auto", "keep"] | Annotated[int, Field(ge=1, le=60)] = "auto"
    """Swarm's dispatcher heartbeat in seconds; `auto`: by size; `keep`: it is not ours."""
    drain_seconds: Annotated[int, Field(ge=1)] = 90
    """How long a leaving without a deadline of its own may take."""
    hint_seconds: Annotated[int, Field(ge=1)] = 1800
    """How long a node stays paused after a rebalance recommendation nothing follows."""
    absent_seconds: Annotated[int, Field(ge=1)] = 30
    """How long a Down node's instance must have been gone before its node is removed."""
    down_seconds: Annotated[int, Field(ge=1)] = 600
    """How long a node may be Down while EC2 says it runs, before the instance is given up."""
    orphan_seconds: Annotated[int, Field(ge=1)] = 900
    """How long a worker's instance may run without joining, before it is terminated."""
    removals_at_once: Annotated[int, Field(ge=1)] = 3
    """Nodes and instances removed in a minute; if more seem gone, none is removed."""
    rebalance: bool = True
    """Spread services out again by itself, after nodes joined."""
    rebalance_cooldown_seconds: Annotated[int, Field(ge=0)] = 60
    """How long after a join nothing is moved to the new node."""
    rebalances_per_hour: Annotated[int, Field(ge=1)] = 60
    """Tasks moved in an hour to spread services."""


class UserData(BaseModel):
    """What one instance is told at launch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: Cluster
    broker: Annotated[str, Field(pattern=r"^rediss://[A-Za-z0-9.-]+:\d+$")]
    """The broker's URL: TLS always, an address or name the broker's certificate has."""
    password: Secret
    """Of the broker's ACL user `agent`."""
    leader_keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    """The leader's X25519 public keys in base64: one, or two while keys are changed."""
    ca: str
    """PEM of the CA that signed the broker's certificate."""
    role: Role = Role.WORKER
    """What to ask for; the leader decides by what EC2 says of the instance."""
    identity: Literal["aws", "password"] = "aws"
    sts_endpoint: str | None = None
    """Where to address the signed call; none: the region's own endpoint."""
    deadman_seconds: Annotated[int, Field(ge=0)] = 600
    """A worker that hears neither manager nor leader for so long powers itself off; 0: never."""
    leader: LeaderPart | None = None
    """Given to managers: run the leader daemon, with these settings."""

    @field_validator("leader_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            public_key(key)
        return keys


def parse(text: str) -> UserData:
    """Read user data.

    Raises:
        MalformedMessage: names every setting at fault and never quotes a value.
    """
    try:
        return UserData.model_validate(_table(text))
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        lines = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise MalformedMessage(f"user data: {lines}") from None


def unknown(text: str) -> tuple[str, ...]:
    """Names of settings this build does not know, as `name` or `leader.name`."""
    table = _table(text)
    leader = table.get("leader")
    inner = leader if isinstance(leader, dict) else {}
    return (
        *(name for name in table if name not in UserData.model_fields),
        *(f"leader.{name}" for name in inner if name not in LeaderPart.model_fields),
    )


def _table(text: str) -> dict[str, Any]:
    if not text.startswith(FIRST_LINE):
        raise MalformedMessage(
            f"user data does not begin with {FIRST_LINE!r}: print it with `spotswarm user-data`"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise MalformedMessage(f"user data is no TOML: {exc}") from None
