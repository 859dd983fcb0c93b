"""The agent's state, notices and time limits, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from wire.messages import Availability, Role

EngineState = Literal["inactive", "pending", "active", "error", "locked"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A verified grant, which contains everything that the engine needs to join.

    The grant's secrets do not appear in its `repr`.
    """

    token: str = field(repr=False)
    managers: tuple[str, ...]
    availability: Availability
    key: str = field(default="", repr=False)
    """The request's private key in base64, which becomes the join key if the join succeeds."""


@dataclass(frozen=True, slots=True)
class AwsNotice:
    """An announcement from AWS about an event that may affect this instance."""

    kind: Literal["interruption", "rebalance", "maintenance"]
    effective: datetime | None
    action: Literal["terminate", "stop", "hibernate"] | None = None
    event: str | None = None
    code: str = ""
    """The AWS code for the kind of maintenance, such as `system-reboot`."""
    step: timedelta = field(default=timedelta(), compare=False)
    """How far this machine's clock had been set when this process read the notice."""

    def __str__(self) -> str:
        at = f" at {self.effective:%Y-%m-%d %H:%M:%S} UTC" if self.effective else ""
        match self.kind:
            case "interruption":
                return f"AWS will {self.action} this instance{at}"
            case "rebalance":
                return "AWS recommends moving off this instance"
            case "maintenance":
                return f"AWS has scheduled maintenance of this instance ({self.code}){at}"


@dataclass(frozen=True, slots=True)
class StandingNotice:
    """A notice that AWS has not withdrawn."""

    notice: AwsNotice
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class View:
    """The agent's complete state, which `decide` uses to make decisions."""

    is_member: bool = False
    failures: int = 0
    """The number of failed attempts since the engine was last active."""
    pending_since: datetime | None = None
    was_forced_out: bool = False
    """Whether the last action forced the engine to leave. If that failed, wait before retrying."""
    missed_answers: int = 0
    """The number of consecutive calls to which the engine did not respond."""
    clock_offset: timedelta = timedelta()
    """The leader's time minus ours; zero until a denial reports that our clock is off."""
    offset_step: timedelta = timedelta()
    """How far this machine's clock had been set when the leader reported `clock_offset`."""
    last_problem: str = ""
    notice: AwsNotice | None = None
    """The most urgent notice from AWS."""
    notice_at: datetime | None = None
    """When this process first read that notice."""
    departure: str = ""
    """Why this instance has left or must leave. While a reason is set, the instance cannot join."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The agent's role and limits.

    `role` and `deadman` come from user data; all other values are fixed.
    """

    role: Role
    deadman: timedelta = timedelta(minutes=10)
    """A worker powers off if no manager and no leader has responded for this long. Zero means that
    the worker never powers off."""
    deadman_checks: int = 3
    """The number of consecutive failed checks that powering off also requires, because the agent
    itself may have been suspended."""
    leave_before: timedelta = timedelta(seconds=10)
    """A worker without an order leaves this long before AWS acts."""
    inspect_every: timedelta = timedelta(seconds=5)
    pending_at_most: timedelta = timedelta(seconds=30)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)
    engine_pause: timedelta = timedelta(milliseconds=200)
    """The pause between the first `engine_attempts` inspections, while the engine starts. After
    that, `inspect_every` applies."""
    engine_attempts: int = 100
