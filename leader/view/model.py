"""The leader's policy and its view of the cluster, as immutable values.

Rule: only `decide` changes the view, and it does so by returning a new `View`. A new list always
replaces the whole previous list. Never update part of a list after an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from leader.view.census import Census
from leader.view.ids import InstanceId, Lifecycle, NodeId, ServiceId, node_subject
from leader.view.notices import Notices
from leader.view.pools import Pool, Pools
from leader.view.work import Work
from wire.keys import GRANT_LIFETIME
from wire.labels import (
    JOINING,
    LABEL_INSTANCE,
    LABEL_PHASE,
    LABEL_THEN,
    LABEL_WAS,
    LABEL_WHY,
)
from wire.messages import Availability, DenialCode, Role


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance, as described by EC2."""

    id: InstanceId
    state: str
    lifecycle: Lifecycle
    zone: str
    type: str
    address: str
    cluster: str | None
    role: str | None
    launched: datetime | None = None
    other_addresses: tuple[str, ...] = ()
    """The private addresses of all network interfaces, except the primary one in `address`."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All private addresses of the instance, the primary one first."""
        return tuple(each for each in (self.address, *self.other_addresses) if each)

    @property
    def pool(self) -> Pool:
        """The instance's Spot capacity pool."""
        return self.type, self.zone

    def is_of(self, cluster: str) -> bool:
        """Whether the instance has the cluster's tag; the leader terminates no other instance."""
        return self.cluster == cluster

    @property
    def runs(self) -> bool:
        """Whether the instance is running or about to run, according to EC2."""
        return self.state in {"pending", "running"}


@dataclass(frozen=True, slots=True)
class NodeBasis:
    """What a decision about a node is based on: the parts of its spec that people and we change.

    The times in our labels do not count. The swarm's version of a node is of no use for this,
    because it also changes with the node's status.
    """

    role: Role
    availability: Availability
    labels: tuple[str | None, ...]

    @classmethod
    def of(cls, role: Role, availability: Availability, labels: Mapping[str, str]) -> "NodeBasis":
        """Return the basis of a node with this spec."""
        return cls(role, availability, tuple(labels.get(name) for name in _DECISIVE_LABELS))


_DECISIVE_LABELS: Final = (LABEL_INSTANCE, LABEL_PHASE, LABEL_WHY, LABEL_THEN, LABEL_WAS)


@dataclass(frozen=True, slots=True)
class Node:
    """A node, as described by the swarm."""

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
    """`Status.Addr`, which the constraint `node.ip` uses; for a manager, it can be 0.0.0.0."""
    labels: Mapping[str, str] = field(default_factory=dict)
    engine_labels: Mapping[str, str] = field(default_factory=dict)
    platform: tuple[str, str] = ("linux", "x86_64")
    """The operating system and the architecture, as used in placement constraints."""
    cpu: int = 0
    """The node's CPU capacity in billionths of a core."""
    memory: int = 0
    """The node's memory in bytes."""
    generic: Mapping[str, int] = field(default_factory=dict)
    """The node's generic resources, such as `{"gpu": 2}`."""
    volume_plugins: frozenset[str] | None = None
    """The node's volume drivers, or None if the node does not report them."""

    @property
    def instance(self) -> InstanceId | None:
        """The instance that this node is bound to, or None."""
        label = self.labels.get(LABEL_INSTANCE)
        return InstanceId(label) if label else None

    @property
    def basis(self) -> NodeBasis:
        """What decisions about this node are based on."""
        return NodeBasis.of(self.role, self.availability, self.labels)

    @property
    def is_ready(self) -> bool:
        """Whether the swarm is receiving the node's heartbeats."""
        return self.status == "ready"

    @property
    def is_down(self) -> bool:
        """Whether the swarm says that the node is Down; in every other state it may be running."""
        return self.status == "down"

    @property
    def is_joining(self) -> bool:
        """Whether the node is bound to its instance but not activated yet."""
        return self.phase == JOINING

    @property
    def phase(self) -> str:
        """The value of the node's phase label, such as `leaving`; empty for an ordinary node."""
        return self.labels.get(LABEL_PHASE, "")

    @property
    def takes_tasks(self) -> bool:
        """Whether the swarm can place tasks on the node now."""
        return self.is_ready and self.availability is Availability.ACTIVE


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity. `instance` comes from EC2 or, outside AWS, from the request."""

    mode: Literal["aws", "password"]
    instance: Instance


@dataclass(frozen=True, slots=True)
class Ask:
    """A token request from a sender with a proven identity; `key` is the sender's public key."""

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Asker:
    """The sender of a token request and the recipient of the response.

    The sender's identity may be unproven.
    """

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int = 0
    """The index of the leader's key that decrypted the request and must encrypt the response."""
    instance: InstanceId | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """The denial of a join request: a code for the agent and a reason for the operator."""

    code: DenialCode
    reason: str
    retry_after_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A join token that was granted to an instance whose node has not appeared yet."""

    instance: Instance
    role: Role
    key: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """How the join tokens have been used since their last rotation."""

    worker_grants: int = 0
    worker_rotated: datetime | None = None
    is_manager_used: bool = False


@dataclass(frozen=True, slots=True)
class Setback:
    """A failed action: the number of failures in a row, and the earliest time to retry."""

    times: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """An operator's request about one node, kept until the node's labels record it."""

    want: Literal["drain", "return"]
    at: datetime
    within: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Moves:
    """Requested and recent task moves. A new leader does not need this information."""

    wishes: Mapping[NodeId, Wish] = field(default_factory=dict)
    stuck: Mapping[ServiceId, Setback] = field(default_factory=dict)
    """Services whose tasks did not come up elsewhere, and when to try each service again."""
    rebalanced: tuple[tuple[datetime, int], ...] = ()
    """The time and the number of moved tasks of each rebalancing in the last hour."""
    node_added_at: datetime | None = None
    """When a node most recently became able to take tasks."""
    rebalance_wishes: Mapping[ServiceId, datetime] = field(default_factory=dict)
    """Services that the operator wants to rebalance now, and the times of the requests."""


@dataclass(frozen=True, slots=True)
class View:
    """The active leader's view of the cluster; a new leader can rebuild it from fresh lists."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    nodes_at: datetime | None = None
    nodes_from: datetime | None = None
    """A list requested before this time may lack one of our changes, and is discarded."""
    instances: Mapping[InstanceId, Instance] = field(default_factory=dict)
    instances_at: datetime | None = None
    nodes_unread: int = 0
    """The number of nodes in the last list that have never been read. While there are any, no node
    is known to be missing."""
    outstanding: Mapping[InstanceId, Outstanding] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    probed: frozenset[NodeId] = frozenset()
    in_flight: frozenset[str] = frozenset()
    setbacks: Mapping[str, Setback] = field(default_factory=dict)
    work: Work | None = None
    work_from: datetime | None = None
    """Like `nodes_from`, but for `work`, which is None until a newer list arrives."""
    heartbeat: timedelta | None = None
    """The heartbeat period of the swarm's dispatcher."""
    notices: Notices = field(default_factory=Notices)
    pools: Pools = field(default_factory=Pools)
    census: Census = field(default_factory=Census)
    moves: Moves = Moves()

    def bound(self, instance: InstanceId) -> tuple[Node, ...]:
        """Return the nodes that are bound to this instance, including old nodes that are Down."""
        return tuple(node for node in self.nodes.values() if node.instance == instance)

    def join_addresses(self) -> tuple[str, ...]:
        """Return the Ready managers' private addresses; the Raft leader's address comes first."""
        able = [node for node in self.managers() if node.is_ready and node.address]
        return tuple(node.address for node in sorted(able, key=lambda node: not node.is_leader))

    def managers(self) -> tuple[Node, ...]:
        """Return the swarm's managers, including lost managers, which remain Raft members."""
        return tuple(node for node in self.nodes.values() if node.role is Role.MANAGER)

    def is_changing(self, node: NodeId) -> bool:
        """Return whether an action on this node is in flight."""
        return node_subject(node) in self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The operator's settings and the leader's time limits.

    Fields without a default here get their values from `leader.settings`.
    """

    cluster: str
    managers: int
    identity: Literal["aws", "password"]
    grant_lifetime: timedelta = GRANT_LIFETIME
    worker_batch: int
    worker_token_age: timedelta
    nodes_stale_after: timedelta = timedelta(seconds=30)
    instances_every: timedelta = timedelta(seconds=60)
    unknown_node_every: timedelta = timedelta(seconds=5)
    """How often to list the instances while a node's instance is unknown or seems to be gone."""

    drain_within: timedelta
    """How long a node has to leave if AWS has set no deadline."""
    drain_reserve: timedelta = timedelta(seconds=30)
    """How long before the deadline Swarm's drain takes over tasks that have not moved."""
    leave_margin: timedelta = timedelta(seconds=15)
    """How long before the deadline the node leaves, even if tasks are still running on it."""
    moves_at_once: int = 50
    """How many tasks of all services may be moving off leaving nodes at the same time."""
    failures_per_node: int = 2
    """How often replacements may fail on one node before a moving service is kept off the node."""
    start_within: timedelta = timedelta(seconds=30)
    """How long to wait for a replacement to start before moving the next node's tasks."""
    hint_patience: timedelta
    maintenance_lead: timedelta = timedelta(minutes=15)
    pool_penalty: timedelta = timedelta(minutes=10)

    absent_lists: int = 3
    """How many consecutive lists must lack an instance before its node is removed."""
    absent_for: timedelta
    down_for: timedelta
    """How long a node may be Down before its running instance is terminated."""
    orphan_after: timedelta
    """How long an instance may run without being a node before it is terminated."""
    removals_at_once: int
    """How many nodes and instances may be removed in one round, not counting normal departures."""
    removal_round: timedelta = timedelta(seconds=60)

    is_rebalancing: bool
    rebalance_cooldown: timedelta
    """How long to wait after a node joins before rebalancing any service."""
    rebalances_per_hour: int
    """How many tasks rebalancing may move per hour."""
    rebalance_patience: timedelta = timedelta(seconds=120)
    """How long an added task may take to come up before it is removed."""
    heartbeat: timedelta | None
    """The heartbeat period, or None to choose the period by the size of the swarm."""
    keeps_heartbeat: bool
    """Whether to leave the swarm's heartbeat period unchanged."""
