"""The state of a running simulator: its session, rate limits and injected faults."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.cp_simulator.pacing import PacingMonitor
from services.cp_simulator.session import Session


class Trouble(BaseModel):
    """Faults that a test injects into the simulator. A field that is None has no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: Literal["lost", "logged out", "logged in"] | None = None
    competing: bool | None = None
    refuses_again: bool | None = None
    """Whether re-authentication has no effect."""
    slow_seconds: float | None = Field(default=None, ge=0, le=60)
    """How long every response is delayed, in seconds."""
    paced: bool | None = None
    """True begins the penalty. False ends the penalty and resets the counts."""
    halted: tuple[str, ...] | None = None
    """The symbols whose trading is halted."""


@dataclass(slots=True)
class SimulatorState:
    """The simulator's state, shared by all requests."""

    session: Session
    pacing: PacingMonitor
    preflight_seconds: float
    slow_seconds: float = 0.0
    halted: frozenset[str] = field(default_factory=frozenset)

    def apply(self, trouble: Trouble, *, now: float) -> None:
        """Apply the faults that a test has requested."""
        match trouble.session:
            case "lost":
                self.session.lose()
            case "logged out":
                self.session.log_out()
            case "logged in":
                self.session.log_in()
            case None:
                pass
        if trouble.competing is not None:
            self.session.is_competing = trouble.competing
        if trouble.refuses_again is not None:
            self.session.refuses_again = trouble.refuses_again
        if trouble.slow_seconds is not None:
            self.slow_seconds = trouble.slow_seconds
        if trouble.halted is not None:
            self.halted = frozenset(trouble.halted)
        if trouble.paced is True:
            self.pacing.punish(now=now)
        elif trouble.paced is False:
            self.pacing.forgive()

    def counts(self) -> dict[str, object]:
        """Return statistics about the requests so far, for use in tests."""
        return {
            "asked": self.pacing.requests,
            "busiest": self.pacing.busiest,
            "violations": self.pacing.violations,
            "history_most": self.pacing.history_most,
            "reauthentications": self.session.reauthentications,
            "simulated": True,
        }
