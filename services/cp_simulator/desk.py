"""What the simulator holds while it runs: the session, the watch on pacing, and made-up trouble."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.cp_simulator.pacing import Watch
from services.cp_simulator.session import Session


class Trouble(BaseModel):
    """What a test asks the simulator to be like; fields that are not told stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session: Literal["lost", "logged out", "logged in"] | None = None
    competing: bool | None = None
    refuses_again: bool | None = None
    """Re-authentication is answered and changes nothing."""
    slow_seconds: float | None = Field(default=None, ge=0, le=60)
    """Every answer comes so much later."""
    paced: bool | None = None
    """True begins the penalty, False ends it and forgets what was counted."""
    halted: tuple[str, ...] | None = None
    """Symbols in which trading is stopped."""


@dataclass(slots=True)
class Desk:
    """Everything that a request looks at or changes."""

    session: Session
    watch: Watch
    preflight_seconds: float
    slow_seconds: float = 0.0
    halted: frozenset[str] = field(default_factory=frozenset)

    def make(self, trouble: Trouble, *, now: float) -> None:
        """Be as told from now on."""
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
            self.watch.punish(now=now)
        elif trouble.paced is False:
            self.watch.forgive()

    def seen(self) -> dict[str, object]:
        """What was asked so far, for tests of those who ask."""
        return {
            "asked": self.watch.asked,
            "busiest": self.watch.busiest,
            "violations": self.watch.violations,
            "history_most": self.watch.history_most,
            "reauthentications": self.session.reauthentications,
            "simulated": True,
        }
