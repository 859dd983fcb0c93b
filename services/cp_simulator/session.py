"""The simulator's session, in two tiers like the real gateway's.

From Interactive Brokers' Web API documentation: without a login, which a person makes in a browser,
nothing answers. Without a brokerage session on top of it, /iserver/… does not answer. A user can
have one brokerage session, which ends after several minutes without requests. A contract's first
snapshot in a session is a pre-flight without data, and /iserver/accounts must be requested before
any snapshot.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Refusal(StrEnum):
    """Why a path does not answer, in the gateway's own words."""

    LOGIN = "Access Denied"
    BROKERAGE = "not authenticated"
    ACCOUNTS = "Bad Request: Please query /accounts first"


@dataclass(slots=True)
class Session:
    """One user's session. It starts logged in and authenticated: a stack needs no person."""

    idle_seconds: float
    """How long the brokerage session lasts without requests."""
    is_logged_in: bool = True
    is_brokered: bool = True
    is_competing: bool = False
    """The same user opened a brokerage session elsewhere."""
    refuses_again: bool = False
    """Re-authentication has no effect, as when Interactive Brokers is unavailable."""
    reauthentications: int = 0
    has_accounts: bool = False
    last_asked: float = 0.0
    streaming: dict[int, float] = field(default_factory=dict)
    """When each contract had its pre-flight, by conid."""

    def touch(self, *, now: float) -> None:
        """Keep the session alive by a request, unless it comes too late."""
        if now - self.last_asked > self.idle_seconds:
            self.lose()
        self.last_asked = now

    @property
    def is_authenticated(self) -> bool:
        """Whether /iserver/… answers."""
        return self.is_logged_in and self.is_brokered and not self.is_competing

    def refusal(self, path: str) -> Refusal | None:
        """Why `path` does not answer now; None when it does."""
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
        """Open the brokerage session, taking over a competing one only with `compete`."""
        self.reauthentications += 1
        if not self.is_logged_in or self.refuses_again:
            return
        if compete:
            self.is_competing = False
        if not self.is_competing:
            self.is_brokered = True

    def stream(self, conid: int, *, now: float, after_seconds: float) -> bool:
        """Whether a contract's data has arrived; the first call is its pre-flight."""
        begun = self.streaming.setdefault(conid, now)
        return now > begun and now - begun >= after_seconds

    def lose(self) -> None:
        """End the brokerage session and its streams."""
        self.is_brokered = False
        self.has_accounts = False
        self.streaming.clear()

    def log_out(self) -> None:
        """End the login as well."""
        self.lose()
        self.is_logged_in = False

    def log_in(self) -> None:
        """Log in, as a person does in a browser."""
        self.is_logged_in = self.is_brokered = True
        self.is_competing = self.refuses_again = False
