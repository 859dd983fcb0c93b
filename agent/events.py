"""The agent's events, as immutable values. Every action results in exactly one event.

A `Pause` results in `Paused`, or in the `News` event that interrupted the pause.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.model import AwsNotice, EngineState, Ticket


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause has ended. The agent also starts with this event."""

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
    """The engine did not respond, or an action other than joining failed."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The leader granted our join request."""

    at: datetime
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Denied:
    """The leader denied our join request. `leader_offset` is the leader's time minus ours."""

    at: datetime
    code: str
    retry_after: timedelta
    leader_offset: timedelta
    step: timedelta = timedelta()
    """How far this machine's clock had been set when the denial arrived."""


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """The join request could not be created or sent, or no valid reply arrived."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """The engine could not join the swarm with the granted token."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class NoticesChanged:
    """The notices from AWS for this instance have changed; `notice` is now the most urgent one."""

    at: datetime
    notice: AwsNotice | None


@dataclass(frozen=True, slots=True)
class OrderedToLeave:
    """We reported a notice, and the leader ordered us to leave."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AllClear:
    """There has been no notice for this instance for at least `notices.WITHDRAWN_AFTER`."""

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
