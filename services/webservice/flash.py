"""Passes a message to the next page by storing the message's code in a cookie.

Rule: do not trust cookies. If the code is unknown, show no message.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the visitor, and its tone: "good", "note" or "bad"."""

    text: str
    tone: str = "good"


MESSAGES: Final = {
    "welcome": Message("Your account is ready. Welcome!"),
    "signed-out": Message("You have signed out."),
    "signed-out-here": Message(
        "You have signed out in this browser. The sign-in service did not respond, so the login"
        " itself remains valid until it expires. If somebody may have copied your login, change"
        " your password.",
        "note",
    ),
    "signed-out-everywhere": Message(
        "You have signed out everywhere. Sign in again to continue.",
    ),
    "password-changed": Message(
        "Your password has been changed. You need to sign in again in other browsers."
    ),
    "token-revoked": Message("The token has been revoked. Programs can no longer use it."),
    "token-gone": Message("That token no longer exists.", "note"),
    "watch-list": Message("Your watch list has been saved in this browser."),
}


def message(code: str | None) -> Message | None:
    """Return the message for a code, or None if the code is unknown."""
    return MESSAGES.get(code or "")
