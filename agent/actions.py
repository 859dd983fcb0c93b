"""What to do next, as imperative values; `reason` is what systemd's status line shows."""

from dataclasses import dataclass
from datetime import timedelta

from agent.model import Ticket
from wire.messages import Role


@dataclass(frozen=True, slots=True)
class LookAtEngine:
    """Ask the engine how it is in the swarm, and listen whether anybody of it is there."""

    reason: str
    is_listening: bool = True
    """Listening to silence takes seconds, which an instance that is being taken has not."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Prove who we are and ask for a token, signing with this clock offset."""

    role: Role
    clock_offset: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Join:
    """Tell the engine to join."""

    ticket: Ticket
    reason: str


@dataclass(frozen=True, slots=True)
class LeaveByForce:
    """Tell the engine to forget the swarm it is stuck in."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Stop the tasks and leave the swarm, for good unless `ComeBack`; bid the leader farewell."""

    why: str
    """What the farewell says, and what is remembered."""
    reason: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Forget that this instance has left."""

    reason: str


@dataclass(frozen=True, slots=True)
class PowerOff:
    """Stop the tasks, leave the swarm and shut this machine down."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait at least `least` and at most `most`, or for news; the shell draws the jitter."""

    least: timedelta
    most: timedelta
    reason: str


Action = LookAtEngine | Ask | Join | LeaveByForce | Leave | ComeBack | PowerOff | Pause
