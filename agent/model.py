"""What the agent knows of itself, as immutable values."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from wire.messages import Availability, Role

EngineState = Literal["inactive", "pending", "active", "error", "locked"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A checked grant: all the engine needs to join. Secrets are kept from repr."""

    token: str = field(repr=False)
    managers: tuple[str, ...]
    availability: Availability
    key: str = field(default="", repr=False)
    """The private key of the ask, in base64: the join key, if this joins."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What AWS says it will do to this instance."""

    notice: Literal["interruption", "rebalance", "maintenance"]
    effective: datetime | None
    action: Literal["terminate", "stop", "hibernate"] | None = None
    event: str | None = None
    code: str = ""
    """AWS's word for a maintenance, for people: `system-reboot`."""

    def __str__(self) -> str:
        at = f" at {self.effective:%Y-%m-%d %H:%M:%S} UTC" if self.effective else ""
        match self.notice:
            case "interruption":
                return f"AWS will {self.action} this instance{at}"
            case "rebalance":
                return "AWS recommends to move off this instance"
            case "maintenance":
                return f"AWS plans a maintenance of this instance ({self.code}){at}"


@dataclass(frozen=True, slots=True)
class Standing:
    """An announcement that stands, and since when we know."""

    announcement: Announcement
    seen: datetime


@dataclass(frozen=True, slots=True)
class View:
    """All that decides what is done next."""

    is_member: bool = False
    failures: int = 0
    """Tries that came to nothing since the engine was last active."""
    pending_since: datetime | None = None
    is_leaving: bool = False
    """Leaving by force was the last thing tried; if it did not help there is no hurry."""
    away: int = 0
    """How often in a row the engine did not answer."""
    clock_offset: timedelta = timedelta()
    """What to add to our clock to get the leader's, once the leader said we are off."""
    last_problem: str = ""
    announced: Announcement | None = None
    """The most urgent of what AWS announces."""
    out: str = ""
    """Why this instance has left or is to leave; while it is set nobody joins."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The times the agent keeps."""

    role: Role
    deadman: timedelta = timedelta(minutes=10)
    """Silence of managers and leader after which a worker powers off; zero: never."""
    deadman_looks: int = 3
    """So many looks in a row must have found nobody: the agent itself may have been away."""
    leave_before: timedelta = timedelta(seconds=10)
    """How long before AWS acts a worker leaves that nobody told to."""
    look_every: timedelta = timedelta(seconds=5)
    pending_at_most: timedelta = timedelta(seconds=30)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)
    engine_pause: timedelta = timedelta(milliseconds=200)
    """While the engine starts; after `engine_looks` of them it is looked at less often."""
    engine_looks: int = 100
