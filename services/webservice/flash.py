"""A sentence for the next page, without storage: a cookie carries its code, never its text.

Rule: cookies are not trusted, so an unknown code shows nothing.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence and its tone ("good", "note" or "bad")."""

    text: str
    tone: str = "good"


MESSAGES: Final = {
    "welcome": Message("Your account is ready. Welcome!"),
    "signed-out": Message("You are signed out."),
    "signed-out-here": Message(
        "You are signed out in this browser. The sign-in service did not answer, so the login"
        " itself lasts until it expires; change your password if somebody may have copied it.",
        "note",
    ),
    "signed-out-everywhere": Message(
        "You are signed out everywhere. Sign in again to continue.",
    ),
    "password-changed": Message("Your password is changed. Other browsers must sign in again."),
    "token-revoked": Message("The token is revoked. Programs that use it are refused."),
    "token-gone": Message("That token no longer exists.", "note"),
    "watch-list": Message("Your watch list is saved in this browser."),
}


def message(code: str | None) -> Message | None:
    """The message of a code; None for an unknown code."""
    return MESSAGES.get(code or "")
