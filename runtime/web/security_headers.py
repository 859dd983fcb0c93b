"""All the security headers that our web services send.

Every response has the headers in `EVERY_ANSWER`. The site and the API's reference page each have
their own content security policy. Rule: set no security headers in Traefik or in a service's own
code. Inline scripts and content from other hosts are not allowed.
"""

from collections.abc import Mapping
from typing import Final

EVERY_ANSWER: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
"""Default headers; a response that already has one of these headers keeps its own value."""

API_REFERENCE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
}
"""The headers of public_api's page /docs; Swagger UI needs inline styles."""

_SITE: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers would send forms with "Origin: null", which the site rejects.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_HTTPS: Final[Mapping[str, str]] = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains"
}


def of_site(*, https: bool) -> Mapping[str, str]:
    """Return the site's headers; if `https` is set, they make browsers use HTTPS for a year."""
    return {**_SITE, **_HTTPS} if https else _SITE
