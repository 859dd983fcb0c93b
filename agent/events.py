"""What happened, in the past tense; every action ends in exactly one of these.

A pause ends in `Paused`, or in the news that cut it short.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import AwsNotice, EngineState, Ticket


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause is over; also the first event after the start."""

    at: datetime


@dataclass(frozen=True, slots=True)
class EngineInspected:
    """The engine reported its swarm state."""

    at: datetime
    state: EngineState
    error: str = ""
    silence: timedelta = timedelta()
    """How long neither a manager nor the leader answered; zero if that was not checked."""
    missed_checks: int = 0
    """How many checks in a row found nobody."""


@dataclass(frozen=True, slots=True)
class EngineUnavailable:
    """The engine does not answer, or failed to do what it was told."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The leader granted our request."""

    at: datetime
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Denied:
    """The leader denied our request; `leader_offset` is its clock minus ours."""

    at: datetime
    code: str
    retry_after: timedelta
    leader_offset: timedelta


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No answer: the broker, the metadata service or the leader is unavailable or refuses us."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """The engine could not join with the token that we got."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class NoticesChanged:
    """AWS's notices for this instance changed; `notice` is the most urgent one."""

    at: datetime
    notice: AwsNotice | None


@dataclass(frozen=True, slots=True)
class OrderedToLeave:
    """Our leader answered a notice with the order to leave."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AllClear:
    """AWS has had no notice for this instance for a while."""

    at: datetime


News = NoticesChanged | OrderedToLeave | AllClear
"""Events that no action caused. They cut a pause short and take the place of `Paused`."""

Event = (
    Paused
    | EngineInspected
    | EngineUnavailable
    | Granted
    | Denied
    | RequestFailed
    | JoinFailed
    | News
)
