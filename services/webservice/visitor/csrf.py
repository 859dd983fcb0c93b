"""Proof that a form came from our own page: a signed token, and where the browser says it is.

Rule: a token is good for one nonce, which only the browser's cookie holds, and one account. The
nonce is drawn anew at every sign-in and sign-out, so a token taken before one is dead after it.
Nothing here reads a request: values in, a verdict out.
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
"""The header htmx sends it in."""
_SALT_BYTES: Final = 10
"""With the signature a multiple of three: in base64 no bit is left that means nothing."""
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def new_nonce() -> str:
    """A secret for one browser session, to be kept in a cookie no script can read."""
    return secrets.token_urlsafe(24)


def is_nonce(text: str) -> bool:
    """Whether a cookie's value can be a nonce of ours."""
    return _NONCE.fullmatch(text) is not None


def make(key: bytes, *, nonce: str, account: str) -> str:
    """A token for a form shown to `account` ("" when nobody is signed in).

    Each has a salt of its own, so that compressed pages tell nothing about it (BREACH).
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    return base64.urlsafe_b64encode(salt + _signature(key, salt, nonce, account)).decode()


def is_good(token: str, key: bytes, *, nonce: str, account: str) -> bool:
    """Whether `token` was made for this nonce and account; constant in time."""
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return False
    if not is_nonce(nonce):
        return False
    salt, told = raw[:_SALT_BYTES], raw[_SALT_BYTES:]
    return hmac.compare_digest(told, _signature(key, salt, nonce, account))


def is_from_elsewhere(method: str, headers: Mapping[str, str], *, host: str) -> bool:
    """Whether the browser itself says that another site sent this.

    Browsers send `Sec-Fetch-Site` to trustworthy addresses only and `Origin` with every POST;
    programs send neither, and then the token alone decides.
    """
    if method in _SAFE_METHODS:
        return False
    if headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("Origin")
    # The scheme is not compared: behind the ingress we are spoken to in http whatever it was.
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _signature(key: bytes, salt: bytes, nonce: str, account: str) -> bytes:
    told = b"\0".join((salt, nonce.encode(), account.encode()))
    return hmac.new(key, told, hashlib.sha256).digest()
