"""What every answer of the site tells browsers about how to treat it.

Rule: no inline script or style, no other host. A page that needs an exception is built wrongly.
"""

from collections.abc import Mapping
from typing import Final

POLICY: Final = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
_ALWAYS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers then send forms with "Origin: null", which we refuse.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_HTTPS: Final = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def of(*, https: bool) -> Mapping[str, str]:
    """The headers; over https browsers are told to stay with it for a year."""
    return _ALWAYS | _HTTPS if https else _ALWAYS
