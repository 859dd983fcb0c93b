"""Builds the names of auth's Redis keys. No other Python module builds key names.

Rule: never put an e-mail address, token or client address into a key name. Use its SHA-256 hash
instead, because key names appear in monitoring, slow logs and memory dumps.
"""

from hashlib import sha256
from typing import Final

PREFIX: Final = "auth:"
"""The prefix of all keys. Lua scripts that read an id from Redis append `session:<id>`,
`sessions:<id>` or `account:<id>` to the prefix, like the functions below."""


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def email(address: str) -> str:
    """Return the key that stores the account id for a normalised e-mail address."""
    return f"{PREFIX}email:{_hashed(address)}"


def account(account_id: str) -> str:
    """Return the key of an account, a Redis hash with the fields email, password and created."""
    return f"{PREFIX}account:{account_id}"


def session(session_id: str) -> str:
    """Return the key of a session, which is stored as a Redis hash.

    The fields are account, email and refresh (the hash of the valid refresh token).
    """
    return f"{PREFIX}session:{session_id}"


def sessions(account_id: str) -> str:
    """Return the key of an account's session ids, a sorted set ordered by last renewal."""
    return f"{PREFIX}sessions:{account_id}"


def access(token_hash: str) -> str:
    """Return the key that stores the session id for an access token."""
    return f"{PREFIX}access:{token_hash}"


def family(family_hash: str) -> str:
    """Return the key that stores the session id for a family of refresh tokens.

    Auth uses the family to detect a refresh token that is used twice.
    """
    return f"{PREFIX}family:{family_hash}"


def api_token(token_id: str) -> str:
    """Return the key of an API token, which is stored as a Redis hash.

    The fields are account, email, secret (hashed), name, scopes, created, expires and last_used.
    """
    return f"{PREFIX}api:{token_id}"


def api_tokens(account_id: str) -> str:
    """Return the key of an account's API token ids, a sorted set ordered by creation time."""
    return f"{PREFIX}apis:{account_id}"


def tries(kind: str, subject: str) -> str:
    """Return the key for an attempt counter, which is stored as a Redis hash.

    The fields are `count` and `until`. `kind` is account, client or sign-up.
    """
    return f"{PREFIX}tries:{kind}:{_hashed(subject)}"
