"""The leader's settings: the `[leader]` table of user data, and the facts about this machine.

The agent writes both to `/run/spotswarm` without reading the table; outside AWS an operator can
write them to `/etc/spotswarm`. Rule: a setting's name, limits, unit and default are here and
nowhere else. Times that no setting changes are in `leader.view.model.Policy`.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leader.joining.intake import IntakePolicy
from leader.view.model import Policy
from runtime.errors import RefusedError, UnavailableError
from wire import user_data
from wire.instance import InstanceFacts
from wire.messages import MalformedMessage

RUN: Final = Path("/run/spotswarm")
ETC: Final = Path("/etc/spotswarm")
OWN_RUN: Final = Path("/run/spotswarm-leader")
ADMIN_SOCKET: Final = OWN_RUN / "admin.sock"

Positive = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class LeaderTable(BaseModel):
    """The `[leader]` table. Unknown settings are ignored: user data may be newer than the image."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    secrets: Annotated[str, Field(pattern=r"^(ssm:/[\w./-]+|file:/.+)$")]
    """Where the cluster's secrets are: `ssm:/prefix` or `file:/directory`."""
    elastic_ip: str | None = None
    """The allocation id of the address that the active leader takes; None: it takes none."""
    broker: Literal["container", "process"] = "container"
    """Run Redis in a private container (image `redis:7`), or `redis-server` as a child process."""
    broker_port: Port = 6380
    roles: tuple[str, ...] = ("spotswarm-worker", "spotswarm-manager")
    """The IAM roles that an instance of this cluster may have."""
    aws_endpoint: str | None = None
    """One endpoint for all AWS APIs, as in the lab; None: the endpoints of the region."""
    networks: tuple[str, ...] = ("proxy", "auth", "services")
    """The overlay networks to create."""
    metrics_port: Port = 9180
    """The loopback port of `/healthz` and `/metrics`."""
    queue: str | None = None
    """The URL of the SQS queue with EC2's events; None: only agents report notices."""

    managers: Annotated[int, Field(ge=1, le=7)] = 3
    """How many managers the cluster should have; more do not get a token."""
    identity: Literal["aws", "password"] = "aws"
    """`password` admits any machine that knows the broker's password, as a worker."""
    worker_batch: Positive = 50
    """After how many grants the worker token is rotated."""
    worker_token_minutes: Positive = 60
    """At which age the worker token is rotated, if a grant used it."""
    heartbeat: Literal["auto", "keep"] | Annotated[int, Field(ge=1, le=60)] = "auto"
    """Swarm's heartbeat in seconds; `auto`: by the size of the swarm; `keep`: do not change it."""
    drain_seconds: Positive = 90
    """How long a node has to leave if AWS sets no deadline."""
    hint_seconds: Positive = 1800
    """How long a node stays paused after a rebalance recommendation if nothing follows."""
    absent_seconds: Positive = 30
    """How long the instance of a Down node must be missing before the node is removed."""
    down_seconds: Positive = 600
    """How long a node may be Down while its instance runs, before the instance is terminated."""
    orphan_seconds: Positive = 900
    """How long a worker instance may run without joining before it is terminated."""
    removals_at_once: Positive = 3
    """How many nodes and instances are removed in a minute; if more are missing, none is."""
    rebalance: bool = True
    """Whether services are rebalanced after nodes joined."""
    rebalance_cooldown_seconds: Annotated[int, Field(ge=0)] = 60
    """How long after a join no task is moved to the new node."""
    rebalances_per_hour: Positive = 60
    """How many tasks rebalancing may move in an hour."""

    def policy(self, cluster: str) -> Policy:
        """What decisions go by."""
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
    """All that the daemon knows when it starts."""

    cluster: str
    facts: InstanceFacts
    table: LeaderTable
    unknown: tuple[str, ...] = ()
    """Names in the table that this build does not know."""

    @cached_property
    def policy(self) -> Policy:
        """What decisions go by."""
        return self.table.policy(self.cluster)

    @property
    def intake(self) -> IntakePolicy:
        """What requests are screened by."""
        return IntakePolicy(
            cluster=self.cluster,
            identity=self.policy.identity,
            regions=frozenset({self.facts.region}),
        )


def load(*, run: Path = RUN, etc: Path = ETC) -> Settings:
    """Read the settings.

    Raises:
        UnavailableError: they do not exist yet; the agent writes them.
        RefusedError: they are wrong; the message names each wrong setting.
    """
    text = _first(run / "leader.toml", etc / "leader.toml")
    facts_text = _first(run / "instance.json", etc / "instance.json")
    try:
        document = user_data.parse(text)
        facts = InstanceFacts.read(facts_text)
    except MalformedMessage as exc:
        raise RefusedError(str(exc)) from exc
    if document.leader is None:
        raise RefusedError("leader.toml has no table [leader]: see docs/operations.md")
    try:
        table = LeaderTable.model_validate(document.leader)
    except ValidationError as exc:
        raise RefusedError(f"leader.toml, [leader]: {user_data.faults(exc)}") from None
    unknown = tuple(name for name in document.leader if name not in LeaderTable.model_fields)
    return Settings(cluster=document.cluster, facts=facts, table=table, unknown=unknown)


def _first(*paths: Path) -> str:
    for path in paths:
        try:
            return path.read_text()
        except FileNotFoundError:
            continue
    raise UnavailableError(f"{paths[0]} does not exist yet; spotswarm-agent writes it")
