"""What the leader knows, as immutable values.

Rule: a `View` is changed only by `decide`, by making a new one. Lists from outside replace
what was known whole; nothing is patched by hints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from leader.view.census import Census
from leader.view.ids import InstanceId, Lifecycle, NodeId, ServiceId
from leader.view.notices import Market
from leader.view.work import Work
from wire.labels import JOINING, LABEL_INSTANCE, LABEL_PHASE
from wire.messages import Availability, DenialCode, Role


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, by EC2's word."""

    id: InstanceId
    state: str
    lifecycle: Lifecycle
    zone: str
    type: str
    address: str
    cluster: str | None
    role: str | None
    launched: datetime | None = None

    @property
    def pool(self) -> tuple[str, str]:
        """Type and zone."""
        return self.type, self.zone

    @property
    def runs(self) -> bool:
        """Whether EC2 says that it runs, or is about to."""
        return self.state in {"pending", "running"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node, by the swarm's word."""

    id: NodeId
    hostname: str
    role: Role
    status: str
    availability: Availability
    address: str
    created: datetime
    is_leader: bool = False
    reachability: str | None = None
    status_address: str = ""
    """`Status.Addr`, which the constraint `node.ip` goes by; of a manager it can be 0.0.0.0."""
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    platform: tuple[str, str] = ("linux", "x86_64")
    """Operating system and architecture, as placement constraints name them."""
    cpu: int = 0
    """In billionths of a core."""
    memory: int = 0

    @property
    def instance(self) -> InstanceId | None:
        """The instance the leader bound this node to, if it has."""
        found = self.labels.get(LABEL_INSTANCE)
        return InstanceId(found) if found else None

    @property
    def is_ready(self) -> bool:
        """Whether the swarm hears it."""
        return self.status == "ready"

    @property
    def is_joining(self) -> bool:
        """Whether it is bound and not yet activated."""
        return self.phase == JOINING

    @property
    def phase(self) -> str:
        """Where it is between joining and leaving; empty for a member as any other."""
        return self.labels.get(LABEL_PHASE, "")

    @property
    def takes_tasks(self) -> bool:
        """Whether the swarm may place a task on it now."""
        return self.is_ready and self.availability is Availability.ACTIVE


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, proven; `instance` is EC2's word, or what a password claim says."""

    mode: Literal["aws", "password"]
    instance: Instance


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a token, its identity proven; `key` is the asker's public key text."""

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Asker:
    """Where to send an answer to a request whose identity is not (yet) proven."""

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int = 0
    """Which of the leader's keys opened the request, and must box the answer."""
    instance: InstanceId | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a join is denied: the code for the agent, the sentence for the operator."""

    code: DenialCode
    reason: str
    retry_after_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A grant whose node has not been seen yet."""

    instance: Instance
    role: Role
    key: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """How much the join tokens have been used since they were last rotated."""

    worker_grants: int = 0
    worker_rotated: datetime | None = None
    is_manager_used: bool = False


@dataclass(frozen=True, slots=True)
class Setback:
    """An action on a subject failed; it is not tried again before `until`."""

    times: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for and is not written on the node yet."""

    want: Literal["drain", "return"]
    at: datetime
    within: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Moves:
    """Where moving tasks stands; all of it may be forgotten."""

    wishes: Mapping[NodeId, Wish] = field(default_factory=dict)
    stuck: Mapping[ServiceId, Setback] = field(default_factory=dict)
    """Services whose tasks did not come up elsewhere, and until when they are left alone."""
    spread: tuple[tuple[datetime, int], ...] = ()
    """When how many tasks were moved to spread a service, within the last hour."""
    grown: datetime | None = None
    """When a node last began to take tasks."""
    asked: Mapping[ServiceId, datetime] = field(default_factory=dict)
    """Services the operator wants spread now, and since when."""


@dataclass(frozen=True, slots=True)
class View:
    """All the active leader knows. Everything in it can be listed anew."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    nodes_at: datetime | None = None
    nodes_from: datetime | None = None
    """A list asked for before this is older than a change we made, and is dropped."""
    instances: Mapping[InstanceId, Instance] = field(default_factory=dict)
    instances_at: datetime | None = None
    outstanding: Mapping[InstanceId, Outstanding] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    probed: frozenset[NodeId] = frozenset()
    in_flight: frozenset[str] = frozenset()
    setbacks: Mapping[str, Setback] = field(default_factory=dict)
    work: Work | None = None
    work_from: datetime | None = None
    """As `nodes_from`; until a newer list is there, `work` is None."""
    heartbeat: timedelta | None = None
    """The swarm's dispatcher heartbeat."""
    market: Market = field(default_factory=Market)
    census: Census = field(default_factory=Census)
    moves: Moves = Moves()

    def bound(self, instance: InstanceId) -> tuple[Node, ...]:
        """The nodes labelled as this instance's, old entries included."""
        return tuple(node for node in self.nodes.values() if node.instance == instance)

    def join_addresses(self) -> tuple[str, ...]:
        """Private addresses of managers that can take a join, the Raft leader's first."""
        able = [node for node in self.managers() if node.is_ready and node.address]
        return tuple(node.address for node in sorted(able, key=lambda node: not node.is_leader))

    def managers(self) -> tuple[Node, ...]:
        """The swarm's managers, lost ones included: they count for the majority."""
        return tuple(node for node in self.nodes.values() if node.role is Role.MANAGER)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants, and the times the leader keeps."""

    cluster: str
    managers: int = 3
    identity: Literal["aws", "password"] = "aws"
    grant_lifetime: timedelta = timedelta(seconds=60)
    worker_batch: int = 50
    worker_token_age: timedelta = timedelta(hours=1)
    nodes_stale_after: timedelta = timedelta(seconds=30)
    instances_every: timedelta = timedelta(seconds=60)
    unknown_node_every: timedelta = timedelta(seconds=5)
    """How often EC2 is asked while a node's instance is unknown, or one seems gone."""

    drain_within: timedelta = timedelta(seconds=90)
    """The deadline of a leaving that has none of its own."""
    drain_reserve: timedelta = timedelta(seconds=30)
    """Before the deadline: what did not move by then is left to Swarm's own drain."""
    leave_margin: timedelta = timedelta(seconds=15)
    """Before the deadline: then the node leaves with whatever still runs on it."""
    moves_at_once: int = 50
    """Tasks of all services together that may be moving off leaving nodes at a time."""
    start_within: timedelta = timedelta(seconds=30)
    """So long a replacement on its way is waited for before another node's tasks join the move."""
    hint_patience: timedelta = timedelta(minutes=30)
    maintenance_lead: timedelta = timedelta(minutes=15)
    pool_penalty: timedelta = timedelta(minutes=10)

    looks: int = 3
    """Lists in a row an instance must be missing from before its node is removed."""
    absent_for: timedelta = timedelta(seconds=30)
    down_for: timedelta = timedelta(minutes=10)
    """Down while EC2 says it runs: after that the instance is given up."""
    orphan_after: timedelta = timedelta(minutes=15)
    """Runs and never joined: after that it is terminated."""
    removals_at_once: int = 3
    """Removals of nodes and instances that did not leave in order, in one round."""
    removal_round: timedelta = timedelta(seconds=60)

    is_spreading: bool = True
    spread_cooldown: timedelta = timedelta(seconds=60)
    """After a node joined: so that it is not mugged by every service at once."""
    spread_per_hour: int = 60
    spread_patience: timedelta = timedelta(seconds=120)
    """An added task not up by then is taken back."""
    heartbeat: timedelta | None = None
    """None: by the size of the cluster."""
    keeps_heartbeat: bool = False
    """The operator sets it himself."""
