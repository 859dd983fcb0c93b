"""The simulator's session: two tiers, as the broker has them.

From Interactive Brokers' Web API documentation: a login, which a person makes in a browser and
without which nothing answers; and on top of it the brokerage session, without which /iserver/…
does not answer, of which a user can have one, and which ends when the gateway is asked nothing
for several minutes. A contract's first snapshot in a session is a pre-flight and brings no data,
and before any snapshot /iserver/accounts must have been asked.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Refusal(StrEnum):
    """Why a path does not answer; the texts are the gateway's."""

    LOGIN = "Access Denied"
    BROKERAGE = "not authenticated"
    ACCOUNTS = "Bad Request: Please query /accounts first"


@dataclass(slots=True)
class Session:
    """One user's session; begins logged in and authenticated, so that a stack comes up alone."""

    idle_seconds: float
    """Asked nothing for so long, the brokerage session ends."""
    is_logged_in: bool = True
    is_brokered: bool = True
    is_competing: bool = False
    """The same user opened a brokerage session elsewhere."""
    refuses_again: bool = False
    """Re-authentication does not help, as it does not when the broker is away."""
    reauthentications: int = 0
    has_accounts: bool = False
    last_asked: float = 0.0
    streaming: dict[int, float] = field(default_factory=dict)
    """Contracts whose pre-flight was made, and when."""

    def heard(self, *, now: float) -> None:
        """Any request keeps the session, unless it comes too late."""
        if now - self.last_asked > self.idle_seconds:
            self.lose()
        self.last_asked = now

    @property
    def is_authenticated(self) -> bool:
        """Whether /iserver/… answers."""
        return self.is_logged_in and self.is_brokered and not self.is_competing

    def refusal(self, path: str) -> Refusal | None:
        """Why `path` is not answered now, if it is not."""
        if not self.is_logged_in:
            return Refusal.LOGIN
        if not path.startswith("/iserver/") or path.startswith(
            ("/iserver/auth/", "/iserver/reauthenticate")
        ):
            return None
        if not self.is_authenticated:
            return Refusal.BROKERAGE
        if path == "/iserver/marketdata/snapshot" and not self.has_accounts:
            return Refusal.ACCOUNTS
        return None

    def reauthenticate(self, *, compete: bool) -> None:
        """Open the brokerage session; one that competes is only taken over when asked to."""
        self.reauthentications += 1
        if not self.is_logged_in or self.refuses_again:
            return
        if compete:
            self.is_competing = False
        if not self.is_competing:
            self.is_brokered = True

    def stream(self, conid: int, *, now: float, after_seconds: float) -> bool:
        """Whether a contract's data has come; the first time begins it."""
        begun = self.streaming.setdefault(conid, now)
        return now > begun and now - begun >= after_seconds

    def lose(self) -> None:
        """End the brokerage session, and all that was begun in it."""
        self.is_brokered = False
        self.has_accounts = False
        self.streaming.clear()

    def log_out(self) -> None:
        """End the login as well."""
        self.lose()
        self.is_logged_in = False

    def log_in(self) -> None:
        """What a person does in a browser."""
        self.is_logged_in = self.is_brokered = True
        self.is_competing = self.refuses_again = False
