"""Names of auth's Redis keys; nothing else makes one.

Rule: no key holds an e-mail address, a token or a password: names of keys end up in monitors, slow
logs and dumps of memory. What would be one is there as its SHA-256.
"""

from hashlib import sha256
from typing import Final

PREFIX: Final = "auth:"
"""Scripts add to it what they learn from Redis: `session:<id>` and `account:<id>`, as below."""


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def email(address: str) -> str:
    """Account id of a normalised e-mail address."""
    return f"{PREFIX}email:{_hashed(address)}"


def account(account_id: str) -> str:
    """Hash: email, password, created."""
    return f"{PREFIX}account:{account_id}"


def session(session_id: str) -> str:
    """Hash: account, email, refresh (hash of the one that is good)."""
    return f"{PREFIX}session:{session_id}"


def sessions(account_id: str) -> str:
    """Sorted set of an account's session ids, by when they were last renewed."""
    return f"{PREFIX}sessions:{account_id}"


def access(token_hash: str) -> str:
    """Session id of an access token."""
    return f"{PREFIX}access:{token_hash}"


def family(family_hash: str) -> str:
    """Session id of a family of refresh tokens, so that a used one is known for what it is."""
    return f"{PREFIX}family:{family_hash}"


def api_token(token_id: str) -> str:
    """Hash: account, email, secret (hash), name, scopes, created, expires, last_used."""
    return f"{PREFIX}api:{token_id}"


def api_tokens(account_id: str) -> str:
    """Sorted set of an account's API token ids, by when they were made."""
    return f"{PREFIX}apis:{account_id}"


def tries(kind: str, subject: str) -> str:
    """Hash: count, until. `kind` says of what: account, client, sign-up."""
    return f"{PREFIX}tries:{kind}:{_hashed(subject)}"
