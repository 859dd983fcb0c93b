"""The agent's actions, as immutable values.

`systemctl status` shows the `reason` of the current action.
"""

from dataclasses import dataclass
from datetime import timedelta

from agent.model import Ticket
from wire.messages import Role


@dataclass(frozen=True, slots=True)
class InspectEngine:
    """Read the engine's swarm state, and check whether a manager or the leader is reachable."""

    reason: str
    checks_contact: bool = True
    """Whether to check the managers and the leader, which can take seconds. False when AWS is
    about to reclaim the instance."""


@dataclass(frozen=True, slots=True)
class RequestToken:
    """Request a join token, and prove our identity.

    `clock_offset` is the leader's time minus ours, and is used to timestamp the request.
    """

    role: Role
    clock_offset: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class Join:
    """Make the engine join the swarm with the join token in `ticket`."""

    ticket: Ticket
    reason: str


@dataclass(frozen=True, slots=True)
class LeaveByForce:
    """Force the engine to leave a swarm that it has not finished joining."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Stop the tasks, leave the swarm, and send the leader a farewell message.

    The instance does not join again until a `Rejoin` action or the next boot.
    """

    why: str
    """The reason for leaving, which the agent stores and sends in the farewell."""
    reason: str


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Delete the stored reason for leaving, so that this instance can join again."""

    reason: str


@dataclass(frozen=True, slots=True)
class PowerOff:
    """Stop the tasks, leave the swarm, and power off this machine."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for a random time between `least` and `most`; stop early if a `News` event arrives."""

    least: timedelta
    most: timedelta
    reason: str


Action = InspectEngine | RequestToken | Join | LeaveByForce | Leave | Rejoin | PowerOff | Pause
