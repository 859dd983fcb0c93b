"""What the leader knows, as immutable values.

Rule: a `View` is changed only by `decide`, by making a new one. Lists from outside replace
what was known whole; nothing is patched by hints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NewType

from wire.messages import Availability, DenialCode, Role

NodeId = NewType("NodeId", str)
InstanceId = NewType("InstanceId", str)
Lifecycle = Literal["spot", "on-demand"]

LABEL_INSTANCE: Final = "spotswarm.instance"
LABEL_LIFECYCLE: Final = "spotswarm.lifecycle"
LABEL_ZONE: Final = "spotswarm.zone"
LABEL_TYPE: Final = "spotswarm.type"
LABEL_KEY: Final = "spotswarm.key"
LABEL_PHASE: Final = "spotswarm.phase"
"""`joining` from binding to activation: tells a new node's drain from an operator's."""
JOINING: Final = "joining"

TAG_CLUSTER: Final = "spotswarm:cluster"
TAG_ROLE: Final = "spotswarm:role"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, by EC2's word."""

    instance: InstanceId
    state: str
    lifecycle: Lifecycle
    zone: str
    type: str
    address: str
    cluster: str | None
    role: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """One node, by the swarm's word."""

    node: NodeId
    hostname: str
    role: Role
    status: str
    availability: Availability
    address: str
    created: datetime
    is_leader: bool = False
    reachability: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

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
        return self.labels.get(LABEL_PHASE) == JOINING


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
class View:
    """All the active leader knows. Everything in it can be listed anew."""

    nodes: Mapping[NodeId, Node] = field(default_factory=dict)
    nodes_at: datetime | None = None
    instances: Mapping[InstanceId, Instance] = field(default_factory=dict)
    instances_at: datetime | None = None
    outstanding: Mapping[InstanceId, Outstanding] = field(default_factory=dict)
    tokens: Tokens = Tokens()
    probed: frozenset[NodeId] = frozenset()
    in_flight: frozenset[str] = frozenset()
    setbacks: Mapping[str, Setback] = field(default_factory=dict)

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
