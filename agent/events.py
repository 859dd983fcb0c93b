"""The agent's events, as values in the past tense. Every action ends with exactly one event.

A pause ends with `Paused`, or with the news that interrupted the pause.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import AwsNotice, EngineState, Ticket


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause has ended; the agent also starts with this event."""

    at: datetime


@dataclass(frozen=True, slots=True)
class EngineInspected:
    """The engine reported its swarm state."""

    at: datetime
    state: EngineState
    error: str = ""
    silence: timedelta = timedelta()
    """How long neither a manager nor the leader has responded; zero without a check."""
    missed_checks: int = 0
    """The number of consecutive checks without a response."""


@dataclass(frozen=True, slots=True)
class EngineUnavailable:
    """The engine did not respond, or an action failed."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The leader granted our request."""

    at: datetime
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Denied:
    """The leader denied our request; `leader_offset` is the leader's time minus ours."""

    at: datetime
    code: str
    retry_after: timedelta
    leader_offset: timedelta


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """The request got no valid reply, or could not be made or sent."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """The engine could not join the swarm with the granted token."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class NoticesChanged:
    """AWS's notices for this instance changed; `notice` is now the most urgent notice."""

    at: datetime
    notice: AwsNotice | None


@dataclass(frozen=True, slots=True)
class OrderedToLeave:
    """The leader replied to a notice with an order to leave."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AllClear:
    """AWS has shown no notice for this instance for at least `notices.WITHDRAWN_AFTER`."""

    at: datetime


News = NoticesChanged | OrderedToLeave | AllClear
"""Events that are not the result of an action. News interrupts a pause and replaces `Paused`."""

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
