"""What happened, in the past tense; every action comes back as exactly one of these.

A pause comes back as `Paused`, or as the news that ended it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import Announcement, EngineState, Ticket


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
    silent: timedelta = timedelta()
    """How long neither a manager nor the leader was heard; zero where nobody listens."""
    missed: int = 0
    """How many looks in a row heard nobody."""


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


@dataclass(frozen=True, slots=True)
class NoticesChanged:
    """AWS announces something else than before; `announced` is the most urgent."""

    at: datetime
    announced: Announcement | None


@dataclass(frozen=True, slots=True)
class ToldToLeave:
    """Our leader, in answer to a notice, said that this node is to leave."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AllClear:
    """For a while now AWS has announced nothing."""

    at: datetime


News = NoticesChanged | ToldToLeave | AllClear
"""What comes unasked. It cuts a pause short and is decided on in that pause's place."""

Event = Paused | EngineSeen | EngineAway | Granted | Denied | AskFailed | JoinFailed | News
