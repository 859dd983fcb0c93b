"""What the session's status means and what to do about it. Pure."""

from enum import Enum, auto

from services.peers.gateway import AuthStatus


class Outlook(Enum):
    """How the session is, by who can do something about it."""

    WELL = auto()
    LAPSED = auto()
    """Connected and not authenticated: asking to re-authenticate may help."""
    COMPETING = auto()
    """The user has the session elsewhere; taking it would throw a person out of theirs."""
    LOGGED_OUT = auto()
    """Nobody is logged in at the gateway, or it does not reach the broker: a person must act."""


SENTENCES = {
    Outlook.WELL: "The broker's session is well.",
    Outlook.LAPSED: "The broker's session has lapsed; re-authentication is under way.",
    Outlook.COMPETING: "The same user has a session elsewhere (competing), which has the quotes: "
    "end that one, or give this gateway a user of its own.",
    Outlook.LOGGED_OUT: "Nobody is logged in at the broker's gateway: a person must, in a browser.",
}


def outlook(status: AuthStatus) -> Outlook:
    """Competing is looked at first: a session that competes is often not authenticated either."""
    if status.competing:
        return Outlook.COMPETING
    if status.authenticated:
        return Outlook.WELL
    return Outlook.LAPSED if status.connected else Outlook.LOGGED_OUT
