"""What happened, in the past tense; each with an id that actions name as their cause."""

from dataclasses import dataclass
from datetime import datetime

from leader.actions import Action
from leader.model import Ask, Asker, Denied, Instance, Node


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
    """The swarm's nodes, all of them."""

    id: str
    at: datetime
    nodes: tuple[Node, ...]


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


Event = JoinAsked | JoinUnproven | NodesListed | InstancesListed | Ticked | Done | Failed
