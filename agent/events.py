"""What happened, in the past tense; every action comes back as exactly one of these."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import EngineState, Ticket


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause is over (the first event of a run, too)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class EngineSeen:
    """The engine said how it is in the swarm."""

    at: datetime
    state: EngineState
    error: str = ""


@dataclass(frozen=True, slots=True)
class EngineAway:
    """The engine does not answer, or failed at what it was told."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The leader granted, and the grant is meant for us."""

    at: datetime
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Denied:
    """The leader denied; `leader_offset` is its time less ours."""

    at: datetime
    code: str
    retry_after: timedelta
    leader_offset: timedelta


@dataclass(frozen=True, slots=True)
class AskFailed:
    """No answer: the broker, the metadata service or the leader is away, or refuses us."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """The engine could not join with the token it was given."""

    at: datetime
    reason: str


Event = Paused | EngineSeen | EngineAway | Granted | Denied | AskFailed | JoinFailed
