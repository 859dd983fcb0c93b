"""What happened, in the past tense, each with the id that its actions name as their cause."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from leader.view.actions import Action
from leader.view.ids import InstanceId, NodeId, ServiceId
from leader.view.model import Ask, Asker, Denied, Instance, Node
from leader.view.notices import Listener, Notice
from leader.view.work import Service, Task


@dataclass(frozen=True, slots=True)
class JoinAsked:
    """A request whose identity is proven."""

    id: str
    at: datetime
    ask: Ask


@dataclass(frozen=True, slots=True)
class JoinUnproven:
    """A request that was refused before its identity was proven."""

    id: str
    at: datetime
    asker: Asker
    denied: Denied


@dataclass(frozen=True, slots=True)
class NodesListed:
    """All nodes of the swarm, as requested at `requested_at`."""

    id: str
    at: datetime
    nodes: tuple[Node, ...]
    requested_at: datetime | None = None
    heartbeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class WorkListed:
    """All services and tasks of the swarm, as requested at `requested_at`."""

    id: str
    at: datetime
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    requested_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice about an instance, from the queue (with a receipt) or from its agent."""

    id: str
    at: datetime
    notice: Notice
    receipt: str | None = None
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class LeftSwarm:
    """An agent reported that it left the swarm, with the key that its node is bound to."""

    id: str
    at: datetime
    instance: InstanceId
    reason: str


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """The operator wants a node drained, and it was checked that this is possible."""

    id: str
    at: datetime
    node: NodeId
    within: timedelta


@dataclass(frozen=True, slots=True)
class ReturnAsked:
    """The operator wants a leaving, drained or hinted node to take tasks again."""

    id: str
    at: datetime
    node: NodeId


@dataclass(frozen=True, slots=True)
class RebalanceAsked:
    """The operator wants services rebalanced now, regardless of cooldown and budget."""

    id: str
    at: datetime
    services: tuple[ServiceId, ...]


@dataclass(frozen=True, slots=True)
class InstancesListed:
    """All instances of the cluster that are not terminated."""

    id: str
    at: datetime
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """An action was carried out."""

    id: str
    at: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class Failed:
    """An action failed; `reason` is a sentence without secrets."""

    id: str
    at: datetime
    action: Action
    reason: str


Event = (
    JoinAsked
    | JoinUnproven
    | NodesListed
    | InstancesListed
    | WorkListed
    | Noticed
    | LeftSwarm
    | DrainAsked
    | ReturnAsked
    | RebalanceAsked
    | Ticked
    | Done
    | Failed
)
