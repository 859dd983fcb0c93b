"""A sentence for the next page, without storage: the cookie holds a code, never a text.

Rule: what a cookie says is not ours, so an unknown code says nothing.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Message:
    """What to say, and in which tone ("good", "note" or "bad")."""

    text: str
    tone: str = "good"


MESSAGES: Final = {
    "welcome": Message("Your account is ready. Welcome!"),
    "signed-out": Message("You are signed out."),
    "signed-out-here": Message(
        "You are signed out in this browser. The sign-in service did not answer, so the login"
        " itself ends by its own time; change your password if you fear it was seen.",
        "note",
    ),
    "signed-out-everywhere": Message(
        "You are signed out everywhere. Sign in again to go on.",
    ),
    "password-changed": Message("Your password is changed. Other browsers must sign in again."),
    "token-revoked": Message("The token is revoked. Programs that use it are refused by now."),
    "token-gone": Message("That token does not exist any more.", "note"),
    "watch-list": Message("Your watch list is kept in this browser."),
}


def message(code: str | None) -> Message | None:
    """What to say for a code; None for one we never gave out."""
    return MESSAGES.get(code or "")
