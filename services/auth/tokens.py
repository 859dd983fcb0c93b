"""The texts of tokens: how they are made, read and compared.

Rule: a token is 256 random bits and is kept as its SHA-256. So much chance needs no slow hash: who
reads the store cannot open anything with what he finds.
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
    """An API token taken apart."""

    id: str
    secret: str = field(repr=False)


def new_access() -> str:
    """The text of an access token."""
    return secrets.token_urlsafe(32)


def new_refresh(family: str | None = None) -> str:
    """The text of a login's first refresh token, or of the next one of a family.

    The family is random too and nowhere else to be had: who shows one had a token of it.
    """
    return f"{family or secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}"


def family_of(refresh: str) -> str | None:
    """A refresh token's family; None when it is no refresh token."""
    found = _REFRESH.fullmatch(refresh)
    return found[1] if found else None


def new_id() -> str:
    """An id for an account or a session."""
    return secrets.token_hex(12)


def new_api_token() -> tuple[ApiText, str]:
    """An API token and its text: `ssw_<id>_<secret>`, which scanners for leaks can know."""
    made = ApiText(secrets.token_hex(6), secrets.token_urlsafe(32))
    return made, f"ssw_{made.id}_{made.secret}"


def parse_api(text: str) -> ApiText | None:
    """An API token's parts; None when it is none."""
    found = _API.fullmatch(text)
    return ApiText(found[1], found[2]) if found else None


def is_access(text: str) -> bool:
    """Whether this could be an access token."""
    return _ACCESS.fullmatch(text) is not None


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


def is_same(digest_kept: str, secret: str) -> bool:
    """Whether a secret is the one that is kept; takes as long whatever it is."""
    return secrets.compare_digest(digest_kept, digest(secret))
