"""Sets the site's cookies, and defines their names and flags.

Rule: scripts cannot read the cookies, and browsers do not send them with POST requests from other
sites. Over https, the `__Host-` prefix prevents other hosts in the same domain from setting them.
The cookies use `SameSite=Lax`. With `Strict`, visitors who follow a link in an e-mail would
appear to be signed out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

_YEAR_SECONDS: Final = 365 * 86_400
_EARLY_SECONDS: Final = 20.0
"""The browser deletes an access token this many seconds before the token expires."""


@dataclass(frozen=True, slots=True)
class Jar:
    """Sets and deletes the site's cookies.

    `https` is true if visitors use https, even if the ingress forwards their requests over http.
    """

    https: bool

    @property
    def access(self) -> str:
        """The name of the cookie that stores the short-lived access token."""
        return self._named("access")

    @property
    def refresh(self) -> str:
        """The name of the cookie that stores the refresh token, which can be used only once."""
        return self._named("refresh")

    @property
    def login(self) -> tuple[str, str]:
        """The names of the two cookies that a login consists of."""
        return self.access, self.refresh

    @property
    def nonce(self) -> str:
        """The name of the cookie that stores the nonce for CSRF checks."""
        return self._named("nonce")

    @property
    def flash(self) -> str:
        """The name of the cookie that tells the next page which message to show."""
        return self._named("flash")

    @property
    def watch(self) -> str:
        """The name of the cookie that stores the visitor's watch list."""
        return self._named("watch")

    def value(self, request: web.Request, name: str) -> str:
        """Return a cookie's value, or "" if it is missing or cannot be a value that we set.

        All our cookies are printable ASCII. Other text, such as bytes that are not UTF-8, could not
        be hashed or sent on.
        """
        value = request.cookies.get(name, "")
        return value if value.isascii() and value.isprintable() else ""

    def put(
        self, response: web.StreamResponse, name: str, value: str, *, seconds: float | None = None
    ) -> None:
        """Set a cookie. If `seconds` is None, the cookie expires when the browser is closed."""
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
        """Set the access token cookie, which expires slightly before the token."""
        seconds_left = (until - at).total_seconds()
        self.put(
            response,
            self.access,
            token,
            seconds=seconds_left - min(_EARLY_SECONDS, seconds_left / 4),
        )

    def put_watch(self, response: web.StreamResponse, value: str) -> None:
        """Set the watch list cookie, which expires after a year."""
        self.put(response, self.watch, value, seconds=_YEAR_SECONDS)

    def drop(self, response: web.StreamResponse, *names: str) -> None:
        """Delete cookies from the browser, using the flags that `__Host-` cookies require."""
        for name in names:
            self.put(response, name, "", seconds=0)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.https else f"site-{name}"
