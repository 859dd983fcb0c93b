"""What the agent knows about its instance, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from wire.messages import Availability, Role

EngineState = Literal["inactive", "pending", "active", "error", "locked"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A checked grant: all that the engine needs to join. Its secrets do not appear in repr."""

    token: str = field(repr=False)
    managers: tuple[str, ...]
    availability: Availability
    key: str = field(default="", repr=False)
    """The request's private key in base64; it becomes the join key if this join succeeds."""


@dataclass(frozen=True, slots=True)
class AwsNotice:
    """What AWS says it will do to this instance."""

    kind: Literal["interruption", "rebalance", "maintenance"]
    effective: datetime | None
    action: Literal["terminate", "stop", "hibernate"] | None = None
    event: str | None = None
    code: str = ""
    """AWS's word for a maintenance, such as `system-reboot`."""

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
    """All that `decide` goes by."""

    is_member: bool = False
    failures: int = 0
    """Failed attempts since the engine was last active."""
    pending_since: datetime | None = None
    was_forced_out: bool = False
    """The last action was to leave by force; if that did not help, the next attempt waits."""
    missed_answers: int = 0
    """How many times in a row the engine did not answer."""
    clock_offset: timedelta = timedelta()
    """What to add to our clock to get the leader's, once the leader said that ours is off."""
    last_problem: str = ""
    notice: AwsNotice | None = None
    """The most urgent notice from AWS."""
    departure: str = ""
    """Why this instance has left or must leave; while it is set, the instance does not join."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The agent's time limits. User data sets `deadman`; the others are fixed."""

    role: Role
    deadman: timedelta = timedelta(minutes=10)
    """A worker powers off after managers and leader were silent for this long; zero: never."""
    deadman_checks: int = 3
    """How many checks in a row must also have found nobody: the agent itself may have slept."""
    leave_before: timedelta = timedelta(seconds=10)
    """How long before AWS acts a worker leaves without an order."""
    inspect_every: timedelta = timedelta(seconds=5)
    pending_at_most: timedelta = timedelta(seconds=30)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)
    engine_pause: timedelta = timedelta(milliseconds=200)
    """Between inspections while the engine starts, `engine_attempts` times; then less often."""
    engine_attempts: int = 100
