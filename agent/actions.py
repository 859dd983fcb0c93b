"""What to do next, as imperative values; systemd's status line shows each one's `reason`."""

from dataclasses import dataclass
from datetime import timedelta

from agent.model import Ticket
from wire.messages import Role


@dataclass(frozen=True, slots=True)
class InspectEngine:
    """Ask the engine for its swarm state, and check whether managers or leader can be reached."""

    reason: str
    checks_contact: bool = True
    """False when AWS is about to take the instance: the check can take seconds."""


@dataclass(frozen=True, slots=True)
class RequestToken:
    """Prove our identity and request a join token, signing with this clock offset."""

    role: Role
    clock_offset: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Join:
    """Make the engine join the swarm."""

    ticket: Ticket
    reason: str


@dataclass(frozen=True, slots=True)
class LeaveByForce:
    """Make the engine forget the swarm that it is stuck in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Stop the tasks, leave the swarm, and send the leader a farewell; only `Rejoin` undoes it."""

    why: str
    """The reason that the farewell states and the agent remembers."""
    reason: str


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Forget that this instance left, so that it can join again."""

    reason: str


@dataclass(frozen=True, slots=True)
class PowerOff:
    """Stop the tasks, leave the swarm, and shut this machine down."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait between `least` and `most`, or until news arrives; the shell draws the jitter."""

    least: timedelta
    most: timedelta
    reason: str


Action = InspectEngine | RequestToken | Join | LeaveByForce | Leave | Rejoin | PowerOff | Pause
