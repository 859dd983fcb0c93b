"""The texts of tokens: how they are created, parsed and compared.

Rule: a token is 256 random bits and is stored as its SHA-256. That much randomness needs no slow
hash: a stolen copy of the store opens nothing.
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
    """The parts of an API token."""

    id: str
    secret: str = field(repr=False)


def new_access() -> str:
    """The text of an access token."""
    return secrets.token_urlsafe(32)


def new_refresh(family: str | None = None) -> str:
    """The text of a login's first refresh token, or of the next one of a family.

    The family is random too and appears nowhere else: whoever sends it has had one of its tokens.
    """
    return f"{family or secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}"


def family_of(refresh: str) -> str | None:
    """A refresh token's family; None when the text is not a refresh token."""
    match = _REFRESH.fullmatch(refresh)
    return match[1] if match else None


def new_id() -> str:
    """An id for an account or a session."""
    return secrets.token_hex(12)


def new_api_token() -> tuple[ApiText, str]:
    """An API token and its text: `ssw_<id>_<secret>`, a form that leak scanners can recognise."""
    token = ApiText(secrets.token_hex(6), secrets.token_urlsafe(32))
    return token, f"ssw_{token.id}_{token.secret}"


def parse_api(text: str) -> ApiText | None:
    """An API token's parts; None when the text is not an API token."""
    match = _API.fullmatch(text)
    return ApiText(match[1], match[2]) if match else None


def is_access(text: str) -> bool:
    """Whether this could be an access token."""
    return _ACCESS.fullmatch(text) is not None


def digest(secret: str) -> str:
    """The hash to store for a secret."""
    return sha256(secret.encode()).hexdigest()


def is_same(stored_digest: str, secret: str) -> bool:
    """Whether a secret matches a stored digest, in constant time."""
    return secrets.compare_digest(stored_digest, digest(secret))
