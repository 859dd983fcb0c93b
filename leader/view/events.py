"""Events that the leader responds to.

The `cause` of each resulting action is the id of the event.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from leader.view.actions import Action
from leader.view.ids import InstanceId, NodeId, ServiceId
from leader.view.model import Ask, Asker, Denied, Instance, Node
from leader.view.notices import Listener, Notice
from leader.view.work import Service, Task


@dataclass(frozen=True, slots=True)
class JoinAsked:
    """A join request arrived from a sender whose identity has been proven."""

    id: str
    at: datetime
    ask: Ask


@dataclass(frozen=True, slots=True)
class JoinUnproven:
    """A join request was denied before its sender's identity was proven."""

    id: str
    at: datetime
    asker: Asker
    denied: Denied


@dataclass(frozen=True, slots=True)
class NodesListed:
    """The swarm returned a list of nodes; `requested_at` is when the leader requested it."""

    id: str
    at: datetime
    nodes: tuple[Node, ...]
    requested_at: datetime | None = None
    heartbeat: timedelta | None = None
    unread: tuple[str, ...] = ()
    """The ids of nodes that could not be read; an empty string is an id that is unknown."""


@dataclass(frozen=True, slots=True)
class WorkListed:
    """The swarm returned services and tasks; `requested_at` is when the leader requested them."""

    id: str
    at: datetime
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    requested_at: datetime | None = None
    is_complete: bool = True
    """Whether the node of every task is known."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice about an instance arrived from the SQS queue or from the instance's agent."""

    id: str
    at: datetime
    notice: Notice
    receipt: str | None = None
    listener: Listener | None = None
    others: tuple[InstanceId, ...] = ()
    """The other instances that the same message is about."""


@dataclass(frozen=True, slots=True)
class LeftSwarm:
    """An agent, identified by its join key, reported that its node had left the swarm."""

    id: str
    at: datetime
    instance: InstanceId
    reason: str


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """The operator asked to drain a node, and the node can be drained."""

    id: str
    at: datetime
    node: NodeId
    within: timedelta


@dataclass(frozen=True, slots=True)
class ReturnAsked:
    """The operator asked to let a leaving, drained or paused node take tasks again."""

    id: str
    at: datetime
    node: NodeId


@dataclass(frozen=True, slots=True)
class RebalanceAsked:
    """The operator asked to rebalance services now, regardless of the cooldown and limits."""

    id: str
    at: datetime
    services: tuple[ServiceId, ...]


@dataclass(frozen=True, slots=True)
class InstancesListed:
    """EC2 returned the cluster's instances, and the missing ones that it has terminated."""

    id: str
    at: datetime
    instances: tuple[Instance, ...]
    unread: tuple[str, ...] = ()
    """The ids of instances that could not be read; an empty string is an id that is unknown."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """The leader's periodic timer fired."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """An action succeeded."""

    id: str
    at: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class Failed:
    """An action failed. `reason` explains why and contains no secrets."""

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
