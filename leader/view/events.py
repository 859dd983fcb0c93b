"""What happened, in the past tense; each with an id that actions name as their cause."""

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
    """A request that opened, and was refused before or while its identity was checked."""

    id: str
    at: datetime
    asker: Asker
    denied: Denied


@dataclass(frozen=True, slots=True)
class NodesListed:
    """The swarm's nodes, all of them, as asked for at `asked`."""

    id: str
    at: datetime
    nodes: tuple[Node, ...]
    asked: datetime | None = None
    heartbeat: timedelta | None = None


@dataclass(frozen=True, slots=True)
class WorkListed:
    """The swarm's services and tasks, as asked for at `asked`."""

    id: str
    at: datetime
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    asked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """An announcement about an instance, of the queue (with a receipt) or of its agent."""

    id: str
    at: datetime
    notice: Notice
    receipt: str | None = None
    listener: Listener | None = None


@dataclass(frozen=True, slots=True)
class LeftSwarm:
    """An agent said farewell, with the key its node is bound to."""

    id: str
    at: datetime
    instance: InstanceId
    reason: str


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """The operator wants a node emptied; it was checked that it may be."""

    id: str
    at: datetime
    node: NodeId
    within: timedelta


@dataclass(frozen=True, slots=True)
class ReturnAsked:
    """The operator wants a leaving or drained node back."""

    id: str
    at: datetime
    node: NodeId


@dataclass(frozen=True, slots=True)
class SpreadAsked:
    """The operator wants services spread now, whatever cooldown and budget say."""

    id: str
    at: datetime
    services: tuple[ServiceId, ...]


@dataclass(frozen=True, slots=True)
class InstancesListed:
    """The cluster's instances that are not terminated, all of them."""

    id: str
    at: datetime
    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time went on."""

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
    """An action could not be carried out; `reason` is a sentence without secrets."""

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
    | SpreadAsked
    | Ticked
    | Done
    | Failed
)
