"""What the agent knows of itself, as immutable values."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from wire.messages import Availability, Role

EngineState = Literal["inactive", "pending", "active", "error", "locked"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A checked grant: all the engine needs to join. `token` is a secret, kept from repr."""

    token: str
    managers: tuple[str, ...]
    availability: Availability

    def __repr__(self) -> str:
        return f"Ticket(managers={self.managers}, availability={self.availability})"


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


@dataclass(frozen=True, slots=True)
class Policy:
    """The times the agent keeps."""

    role: Role
    look_every: timedelta = timedelta(seconds=5)
    pending_at_most: timedelta = timedelta(seconds=30)
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)
    engine_pause: timedelta = timedelta(milliseconds=200)
    """While the engine starts; after `engine_looks` of them it is looked at less often."""
    engine_looks: int = 100
