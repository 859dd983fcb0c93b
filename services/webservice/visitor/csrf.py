"""Accepts only forms from our own pages, by checking a signed token and the `Origin` header.

Rule: a token is valid for one account and one nonce. The nonce exists only in the browser's cookie.
Signing in or out creates a new nonce, which invalidates earlier tokens. This module does no I/O.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

FIELD: Final = "csrf"
"""The name of the form field."""
HEADER: Final = "X-CSRF-Token"
"""The header in which htmx sends the token."""
_SALT_BYTES: Final = 10
"""With this length, the token's length is a multiple of three bytes, so base64 has no spare bits
that could be changed unnoticed."""
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def new_nonce() -> str:
    """Return a random secret for one browser session, to be stored in a cookie."""
    return secrets.token_urlsafe(24)


def is_nonce(text: str) -> bool:
    """Return whether a cookie's value has the format of a nonce."""
    return _NONCE.fullmatch(text) is not None


def make(key: bytes, *, nonce: str, account: str) -> str:
    """Return a token for a form shown to `account` ("" if nobody is signed in).

    Each token has a random salt, which protects it against attacks on compressed pages (BREACH).
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.urlsafe_b64encode(salt + _signature(key, salt, nonce, account)).decode()


def is_good(token: str, key: bytes, *, nonce: str, account: str) -> bool:
    """Return whether `token` belongs to this nonce and account. The check takes constant time."""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return False
    if not is_nonce(nonce):
        return False
    salt, signature = raw[:_SALT_BYTES], raw[_SALT_BYTES:]
    return hmac.compare_digest(signature, _signature(key, salt, nonce, account))


def is_from_elsewhere(method: str, headers: Mapping[str, str], *, host: str) -> bool:
    """Return whether the browser's headers show that another site sent this request.

    Browsers send `Sec-Fetch-Site` only to secure addresses, but send `Origin` with every POST. If
    neither header is present, return False; the form's CSRF token must still be valid.
    """
    if method in _SAFE_METHODS:
        return False
    if headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    if origin is None:
        return False
    try:
        # Do not compare the scheme, because the ingress always uses http to reach us.
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        # No browser sends an origin that cannot be parsed for a form of ours.
        return True


def _signature(key: bytes, salt: bytes, nonce: str, account: str) -> bytes:
    message = b"\0".join((salt, nonce.encode(), account.encode()))
    return hmac.new(key, message, hashlib.sha256).digest()
