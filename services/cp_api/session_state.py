"""The state of the brokerage session, from the gateway's status. Pure."""

from enum import Enum, auto

from services.peers.gateway import AuthStatus


class SessionState(Enum):
    """Whether the session works, and otherwise who can repair it."""

    WELL = auto()
    LAPSED = auto()
    """Connected but not authenticated: re-authentication may help."""
    COMPETING = auto()
    """The user has a session elsewhere; taking it over would log a person out there."""
    LOGGED_OUT = auto()
    """Nobody is logged in, or the gateway cannot reach Interactive Brokers: a person must act."""


SENTENCES = {
    SessionState.WELL: "The brokerage session works.",
    SessionState.LAPSED: "The brokerage session has lapsed; re-authentication is under way.",
    SessionState.COMPETING: "The same user has a competing session elsewhere, which gets the "
    "quotes: end that session, or give this gateway its own user.",
    SessionState.LOGGED_OUT: "Nobody is logged in at the gateway: a person must log in there.",
}


def session_state(status: AuthStatus) -> SessionState:
    """Checks for competition first: a competing session is often not authenticated either."""
    if status.competing:
        return SessionState.COMPETING
    if status.authenticated:
        return SessionState.WELL
    return SessionState.LAPSED if status.connected else SessionState.LOGGED_OUT
