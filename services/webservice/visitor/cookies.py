"""The cookies of the site: their names and flags, in one place.

Rule: nothing a script could read, nothing another site's request carries along a POST, and over
https the `__Host-` prefix, which no neighbouring host can plant. `SameSite=Lax` and not `Strict`,
so that a link in a mail finds its reader signed in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

_YEAR_SECONDS: Final = 365 * 86_400
_EARLY_SECONDS: Final = 20.0
"""The browser forgets an access token so long before it ends: none dies between two services."""


@dataclass(frozen=True, slots=True)
class Jar:
    """Names and flags. `https` is how people reach the site, not how we are reached."""

    https: bool

    @property
    def access(self) -> str:
        """The short-lived login token."""
        return self._named("access")

    @property
    def refresh(self) -> str:
        """What fetches the next login token; used up by it."""
        return self._named("refresh")

    @property
    def nonce(self) -> str:
        """The half of the CSRF proof that only this browser has."""
        return self._named("nonce")

    @property
    def flash(self) -> str:
        """The code of a message for the next page."""
        return self._named("flash")

    @property
    def watch(self) -> str:
        """The symbols this browser's owner wants to see quoted."""
        return self._named("watch")

    def put(
        self, response: web.StreamResponse, name: str, value: str, *, seconds: float | None = None
    ) -> None:
        """Set a cookie; without `seconds` it ends with the browser's session."""
        response.set_cookie(
            name,
            value,
            max_age=None if seconds is None else max(0, int(seconds)),
            path="/",
            secure=self.https,
            httponly=True,
            samesite="Lax",
        )

    def put_access(
        self, response: web.StreamResponse, token: str, *, until: datetime, at: datetime
    ) -> None:
        """Set the login token, to be forgotten a little before it ends."""
        lasts = (until - at).total_seconds()
        self.put(response, self.access, token, seconds=lasts - min(_EARLY_SECONDS, lasts / 4))

    def put_watch(self, response: web.StreamResponse, value: str) -> None:
        """Remember a watch list for a year."""
        self.put(response, self.watch, value, seconds=_YEAR_SECONDS)

    def drop(self, response: web.StreamResponse, *names: str) -> None:
        """Make the browser forget cookies; with the same flags, or `__Host-` ones stay."""
        for name in names:
            self.put(response, name, "", seconds=0)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.https else f"site-{name}"
