"""The site's cookies: their names and flags.

Rule: no script can read a cookie, no other site's POST carries one, and over https the `__Host-`
prefix keeps neighbouring hosts from setting one. `SameSite=Lax` instead of `Strict` keeps a
visitor signed in who follows a link from an e-mail.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

_YEAR_SECONDS: Final = 365 * 86_400
_EARLY_SECONDS: Final = 20.0
"""How long before its expiry the browser forgets an access token, so that none expires in use."""


@dataclass(frozen=True, slots=True)
class Jar:
    """Names and flags. `https` is how people reach the site, not how the ingress reaches us."""

    https: bool

    @property
    def access(self) -> str:
        """The short-lived login token."""
        return self._named("access")

    @property
    def refresh(self) -> str:
        """The refresh token, which buys the next login token once."""
        return self._named("refresh")

    @property
    def nonce(self) -> str:
        """The half of the CSRF check that only this browser has."""
        return self._named("nonce")

    @property
    def flash(self) -> str:
        """The code of a message for the next page."""
        return self._named("flash")

    @property
    def watch(self) -> str:
        """The visitor's watch list."""
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
        """Set the login token, to be forgotten a little before it expires."""
        seconds_left = (until - at).total_seconds()
        self.put(
            response,
            self.access,
            token,
            seconds=seconds_left - min(_EARLY_SECONDS, seconds_left / 4),
        )

    def put_watch(self, response: web.StreamResponse, value: str) -> None:
        """Remember a watch list for a year."""
        self.put(response, self.watch, value, seconds=_YEAR_SECONDS)

    def drop(self, response: web.StreamResponse, *names: str) -> None:
        """Make the browser forget cookies. Without the same flags, `__Host-` cookies would stay."""
        for name in names:
            self.put(response, name, "", seconds=0)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.https else f"site-{name}"
