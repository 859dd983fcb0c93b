"""Derives the state of the brokerage session from the gateway's status. This module does no I/O."""

from enum import Enum, auto

from services.peers.gateway import AuthStatus


class SessionState(Enum):
    """The state of the brokerage session."""

    WELL = auto()
    LAPSED = auto()
    """The gateway is connected but not authenticated. Re-authentication may help."""
    COMPETING = auto()
    """The same user has a session elsewhere. Taking over that session would log a person out."""
    LOGGED_OUT = auto()
    """Nobody is logged in, or the gateway cannot reach Interactive Brokers. A person must act."""
    NOT_ALLOWED = auto()
    """The gateway's configuration does not allow our address. A login does not help."""


SENTENCES = {
    SessionState.WELL: "The brokerage session works.",
    SessionState.LAPSED: "The brokerage session has lapsed; re-authentication is under way.",
    SessionState.COMPETING: "The same user has a competing session elsewhere, which receives the "
    "quotes. End that session, or give this gateway its own user.",
    SessionState.LOGGED_OUT: "Nobody is logged in to the gateway. A person must log in there.",
    SessionState.NOT_ALLOWED: "The gateway does not allow this address. Add it to the list `allow`"
    " in the gateway's conf.yaml (GATEWAY_ALLOW).",
}


def session_state(status: AuthStatus) -> SessionState:
    """Return the session's state. A competing session takes precedence over other problems."""
    if status.competing:
        return SessionState.COMPETING
    if status.authenticated:
        return SessionState.WELL
    return SessionState.LAPSED if status.connected else SessionState.LOGGED_OUT
