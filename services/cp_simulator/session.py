"""Simulates the gateway's two-tier session: the login and the brokerage session.

According to the Interactive Brokers Web API documentation, a person must log in with a browser
before the gateway accepts any request. Paths under /iserver/ also require a brokerage session. A
user can have only one brokerage session, which ends after several minutes without requests. The
first request for a contract's snapshot in a session is a pre-flight request, which returns no data.
Clients must request /iserver/accounts before any snapshot.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Refusal(StrEnum):
    """The gateway's error messages for requests that the session does not allow."""

    LOGIN = "Access Denied"
    BROKERAGE = "not authenticated"
    ACCOUNTS = "Bad Request: Please query /accounts first"


@dataclass(slots=True)
class Session:
    """A user's session. A new session is already authenticated."""

    idle_seconds: float
    """How long the brokerage session lasts without requests, in seconds."""
    is_logged_in: bool = True
    is_brokered: bool = True
    is_competing: bool = False
    """Whether the same user has opened a brokerage session elsewhere."""
    refuses_again: bool = False
    """Whether re-authentication has no effect, as if Interactive Brokers were unavailable."""
    reauthentications: int = 0
    has_accounts: bool = False
    last_asked: float = 0.0
    streaming: dict[int, float] = field(default_factory=dict)
    """The time of each contract's pre-flight, by conid."""

    def touch(self, *, now: float) -> None:
        """Record a request. This keeps the session alive unless it has already expired."""
        if now - self.last_asked > self.idle_seconds:
            self.lose()
        self.last_asked = now

    @property
    def is_authenticated(self) -> bool:
        """Return whether requests under /iserver/ are allowed."""
        return self.is_logged_in and self.is_brokered and not self.is_competing

    def refusal(self, path: str) -> Refusal | None:
        """Return the error for a request to `path`, or None if the request is allowed."""
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
        """Open the brokerage session. Take over a competing session only if `compete` is true."""
        self.reauthentications += 1
        if not self.is_logged_in or self.refuses_again:
            return
        if compete:
            self.is_competing = False
        if not self.is_competing:
            self.is_brokered = True

    def stream(self, conid: int, *, now: float, after_seconds: float) -> bool:
        """Return whether a contract has data yet. The first call is the pre-flight request."""
        begun = self.streaming.setdefault(conid, now)
        return now > begun and now - begun >= after_seconds

    def lose(self) -> None:
        """End the brokerage session and its data streams."""
        self.is_brokered = False
        self.has_accounts = False
        self.streaming.clear()

    def log_out(self) -> None:
        """End the login and the brokerage session."""
        self.lose()
        self.is_logged_in = False

    def log_in(self) -> None:
        """Log in and open a brokerage session, as a person does in a browser."""
        self.is_logged_in = self.is_brokered = True
        self.is_competing = self.refuses_again = False
