"""Checks that a form came from our own page: a signed token, and the origin that browsers send.

Rule: a token is valid for one nonce, which only the browser's cookie has, and one account. Every
sign-in and sign-out draws a new nonce, which invalidates earlier tokens. Pure: takes no request.
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
"""Makes the signed token a multiple of three bytes, so base64 has no unused bits to alter."""
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def new_nonce() -> str:
    """A secret for one browser session, kept in a cookie that no script can read."""
    return secrets.token_urlsafe(24)


def is_nonce(text: str) -> bool:
    """Whether a cookie's value has the form of our nonces."""
    return _NONCE.fullmatch(text) is not None


def make(key: bytes, *, nonce: str, account: str) -> str:
    """A token for a form shown to `account` ("" when nobody is signed in).

    Each has a random salt, so that compressed pages reveal nothing about it (BREACH).
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.urlsafe_b64encode(salt + _signature(key, salt, nonce, account)).decode()


def is_good(token: str, key: bytes, *, nonce: str, account: str) -> bool:
    """Whether `token` was made for this nonce and account, in constant time."""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return False
    if not is_nonce(nonce):
        return False
    salt, signature = raw[:_SALT_BYTES], raw[_SALT_BYTES:]
    return hmac.compare_digest(signature, _signature(key, salt, nonce, account))


def is_from_elsewhere(method: str, headers: Mapping[str, str], *, host: str) -> bool:
    """Whether the browser reports that another site sent this request.

    Browsers send `Sec-Fetch-Site` to secure addresses only and `Origin` with every POST. Other
    programs send neither; then the token alone decides.
    """
    if method in _SAFE_METHODS:
        return False
    if headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    # The scheme is not compared: the ingress always speaks http to us.
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _signature(key: bytes, salt: bytes, nonce: str, account: str) -> bytes:
    message = b"\0".join((salt, nonce.encode(), account.encode()))
    return hmac.new(key, message, hashlib.sha256).digest()
