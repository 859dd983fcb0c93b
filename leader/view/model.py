"""What the leader knows, as immutable values.

Rule: only `decide` changes the `View`, by making a new one. A list from outside replaces the
previous list as a whole; events that hint at a change never patch it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from leader.view.census import Census
from leader.view.ids import InstanceId, Lifecycle, NodeId, ServiceId, node_subject
from leader.view.notices import Notices
from leader.view.pools import Pool, Pools
from leader.view.work import Work
from wire.keys import GRANT_LIFETIME
from wire.labels import JOINING, LABEL_INSTANCE, LABEL_PHASE
from wire.messages import Availability, DenialCode, Role


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, as EC2 describes it."""

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
    def pool(self) -> Pool:
        """Its Spot capacity pool."""
        return self.type, self.zone

    @property
    def runs(self) -> bool:
        """Whether EC2 says that it runs or is about to run."""
        return self.state in {"pending", "running"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node, as the swarm describes it."""

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
        """The instance that the leader bound this node to, if it has."""
        label = self.labels.get(LABEL_INSTANCE)
        return InstanceId(label) if label else None

    @property
    def is_ready(self) -> bool:
        """Whether the swarm receives its heartbeats."""
        return self.status == "ready"

    @property
    def is_joining(self) -> bool:
        """Whether it is bound to its instance and not activated yet."""
        return self.phase == JOINING

    @property
    def phase(self) -> str:
        """Where it is between joining and leaving; empty for an ordinary member."""
        return self.labels.get(LABEL_PHASE, "")

    @property
    def takes_tasks(self) -> bool:
        """Whether the swarm may place a task on it now."""
        return self.is_ready and self.availability is Availability.ACTIVE


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity; `instance` is as EC2 describes it, or as a password claim does."""

    mode: Literal["aws", "password"]
    instance: Instance


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a token whose identity is proven; `key` is the asker's public key."""

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int
    identity: Identity


@dataclass(frozen=True, slots=True)
class Asker:
    """Where to send the answer to a request whose identity may not be proven."""

    nonce: str
    reply: str
    key: str
    role: Role
    opened_by: int = 0
    """Which of the leader's keys opened the request and must seal the answer."""
    instance: InstanceId | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a join is denied: a code for the agent and a sentence for the operator."""

    code: DenialCode
    reason: str
    retry_after_seconds: int = 10


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A grant whose node has not appeared yet."""

    instance: Instance
    role: Role
    key: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """How often the join tokens were used since their last rotation."""

    worker_grants: int = 0
    worker_rotated: datetime | None = None
    is_manager_used: bool = False


@dataclass(frozen=True, slots=True)
class Setback:
    """An action failed `times` times in a row; it is not tried again before `until`."""

    times: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for, until the node's labels say it."""

    want: Literal["drain", "return"]
    at: datetime
    within: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Moves:
    """How far requested moves are; a new leader can do without any of it."""

    wishes: Mapping[NodeId, Wish] = field(default_factory=dict)
    stuck: Mapping[ServiceId, Setback] = field(default_factory=dict)
    """Services whose tasks did not come up elsewhere, and until when they are left alone."""
    rebalanced: tuple[tuple[datetime, int], ...] = ()
    """When services were rebalanced in the last hour, and by how many tasks each time."""
    node_added_at: datetime | None = None
    """When a node last began to take tasks."""
    rebalance_wishes: Mapping[ServiceId, datetime] = field(default_factory=dict)
    """Services that the operator wants rebalanced now, and since when."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the active leader knows. All of it can be listed again."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    nodes_at: datetime | None = None
    nodes_from: datetime | None = None
    """A list requested before this may miss a change of ours, and is dropped."""
    instances: Mapping[InstanceId, Instance] = field(default_factory=dict)
    instances_at: datetime | None = None
    outstanding: Mapping[InstanceId, Outstanding] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    probed: frozenset[NodeId] = frozenset()
    in_flight: frozenset[str] = frozenset()
    setbacks: Mapping[str, Setback] = field(default_factory=dict)
    work: Work | None = None
    work_from: datetime | None = None
    """Like `nodes_from`; `work` is None until a newer list arrives."""
    heartbeat: timedelta | None = None
    """The swarm's dispatcher heartbeat."""
    notices: Notices = field(default_factory=Notices)
    pools: Pools = field(default_factory=Pools)
    census: Census = field(default_factory=Census)
    moves: Moves = Moves()

    def bound(self, instance: InstanceId) -> tuple[Node, ...]:
        """The nodes labelled with this instance, old entries included."""
        return tuple(node for node in self.nodes.values() if node.instance == instance)

    def join_addresses(self) -> tuple[str, ...]:
        """Private addresses of the managers that nodes can join, the Raft leader's first."""
        able = [node for node in self.managers() if node.is_ready and node.address]
        return tuple(node.address for node in sorted(able, key=lambda node: not node.is_leader))

    def managers(self) -> tuple[Node, ...]:
        """The swarm's managers, including lost ones: they count for the majority."""
        return tuple(node for node in self.nodes.values() if node.role is Role.MANAGER)

    def is_changing(self, node: NodeId) -> bool:
        """Whether an action on this node is in flight."""
        return node_subject(node) in self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator wants, and the leader's time limits.

    A field without a default comes from a setting, whose default is in `leader.settings`.
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
    """How often EC2 is asked while a node's instance is unknown or one seems to be gone."""

    drain_within: timedelta
    """How long a node has to leave if AWS sets no deadline."""
    drain_reserve: timedelta = timedelta(seconds=30)
    """Before the deadline: tasks that have not moved by then are left to Swarm's drain."""
    leave_margin: timedelta = timedelta(seconds=15)
    """Before the deadline: the node then leaves, even if tasks still run on it."""
    moves_at_once: int = 50
    """How many tasks, of all services together, may be moving off leaving nodes at a time."""
    start_within: timedelta = timedelta(seconds=30)
    """How long to wait for a starting replacement before another node's tasks join the move."""
    hint_patience: timedelta
    maintenance_lead: timedelta = timedelta(minutes=15)
    pool_penalty: timedelta = timedelta(minutes=10)

    absent_lists: int = 3
    """How many lists in a row must miss an instance before its node is removed."""
    absent_for: timedelta
    down_for: timedelta
    """An instance that runs while its node is Down for so long is terminated."""
    orphan_after: timedelta
    """An instance that runs so long without being a node is terminated."""
    removals_at_once: int
    """How many nodes and instances that did not leave in order are removed in one round."""
    removal_round: timedelta = timedelta(seconds=60)

    is_rebalancing: bool
    rebalance_cooldown: timedelta
    """The wait after a node joined, so that not every service moves tasks to it at once."""
    rebalances_per_hour: int
    """How many tasks may move in an hour."""
    rebalance_patience: timedelta = timedelta(seconds=120)
    """An added task that is not up by then is removed."""
    heartbeat: timedelta | None
    """None chooses it by the size of the cluster."""
    keeps_heartbeat: bool
    """Leave the swarm's heartbeat as the operator set it."""
