"""Creates, parses and compares tokens.

Rule: a token contains 256 random bits and is stored as a SHA-256 hash. A slow hash is not needed,
because nobody can guess 256 random bits.
"""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

_API: Final = re.compile(r"ssw_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ACCESS: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_REFRESH: Final = re.compile(r"([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ApiText:
    """The two parts of an API token: a public id and a secret."""

    id: str
    secret: str = field(repr=False)


def new_access() -> str:
    """Return a new, randomly generated access token."""
    return secrets.token_urlsafe(32)


def new_refresh(family: str | None = None) -> str:
    """Return a login's first refresh token, or the next refresh token of an existing `family`.

    A family is a random string that all refresh tokens of a login contain. A client that sends the
    family must have had one of these tokens.
    """
    return f"{family or secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}"


def family_of(refresh: str) -> str | None:
    """Return a refresh token's family, or None if `refresh` is not a refresh token."""
    match = _REFRESH.fullmatch(refresh)
    return match[1] if match else None


def new_id() -> str:
    """Return a new random id for an account or a session."""
    return secrets.token_hex(12)


def new_api_token() -> tuple[ApiText, str]:
    """Return a new API token, both as its parts and as text.

    The text has the form `ssw_<id>_<secret>`, which secret scanners can recognise.
    """
    token = ApiText(secrets.token_hex(6), secrets.token_urlsafe(32))
    return token, f"ssw_{token.id}_{token.secret}"


def parse_api(text: str) -> ApiText | None:
    """Return an API token's parts, or None if `text` is not an API token."""
    match = _API.fullmatch(text)
    return ApiText(match[1], match[2]) if match else None


def is_access(text: str) -> bool:
    """Return whether the text has the form of an access token."""
    return _ACCESS.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Return the hash to store for a secret, as 64 hexadecimal digits."""
    return sha256(secret.encode()).hexdigest()


def is_same(stored_digest: str, secret: str) -> bool:
    """Return whether a secret matches a stored digest. The comparison takes constant time."""
    return secrets.compare_digest(stored_digest, digest(secret))
