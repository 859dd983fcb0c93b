"""Names of auth's Redis keys. No other module makes one.

Rule: a key contains the SHA-256 of an e-mail address, token or client address, never the value
itself: key names end up in monitoring, slow logs and memory dumps.
"""

from hashlib import sha256
from typing import Final

PREFIX: Final = "auth:"
"""Scripts append `session:<id>` and `account:<id>`, the forms below, with ids read from Redis."""


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def email(address: str) -> str:
    """Account id of a normalised e-mail address."""
    return f"{PREFIX}email:{_hashed(address)}"


def account(account_id: str) -> str:
    """Hash: email, password, created."""
    return f"{PREFIX}account:{account_id}"


def session(session_id: str) -> str:
    """Hash: account, email, refresh (hash of the valid refresh token)."""
    return f"{PREFIX}session:{session_id}"


def sessions(account_id: str) -> str:
    """Sorted set of an account's session ids, by last renewal."""
    return f"{PREFIX}sessions:{account_id}"


def access(token_hash: str) -> str:
    """Session id of an access token."""
    return f"{PREFIX}access:{token_hash}"


def family(family_hash: str) -> str:
    """Session id of a family of refresh tokens, which makes the reuse of one detectable."""
    return f"{PREFIX}family:{family_hash}"


def api_token(token_id: str) -> str:
    """Hash: account, email, secret (hash), name, scopes, created, expires, last_used."""
    return f"{PREFIX}api:{token_id}"


def api_tokens(account_id: str) -> str:
    """Sorted set of an account's API token ids, by creation time."""
    return f"{PREFIX}apis:{account_id}"


def tries(kind: str, subject: str) -> str:
    """Hash: count, until. `kind` is account, client or sign-up."""
    return f"{PREFIX}tries:{kind}:{_hashed(subject)}"
