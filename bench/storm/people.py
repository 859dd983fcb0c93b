"""The instances of this benchmark: their ids, addresses and credentials, derived from a number."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from agent.signing import Credentials

CLUSTER: Final = "storm"
REGION: Final = "eu-central-1"
ACCOUNT: Final = "123456789012"
ROLE: Final = "spotswarm-worker"
MANAGER: Final = 0
"""The number of the manager that leads."""
MEMBERS: Final = range(900_001, 900_006)
"""The numbers of workers that have joined before the benchmark begins."""
_TOKEN_CHARACTERS: Final = 900
"""About the length of a session token of EC2."""


def instance_of(number: int) -> str:
    """Return the instance's id."""
    return f"i-{number:017x}"


def number_of(instance: str) -> int:
    """Return the number of the instance with this id. Raise ValueError if the id is not ours."""
    return int(instance.removeprefix("i-"), 16)


def address_of(number: int) -> str:
    """Return the instance's private address."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def access_key_of(number: int) -> str:
    """Return the access key of the instance's role."""
    return f"ASIA{number:016X}"


def secret_of(access_key: str) -> str:
    """Return the secret that belongs to an access key. Only the agent and STS know it."""
    return hashlib.sha256(f"secret of {access_key}".encode()).hexdigest()[:40]


def session_token_of(access_key: str) -> str:
    """Return the session token that belongs to an access key."""
    digest = hashlib.sha256(f"session of {access_key}".encode()).hexdigest()
    return (digest * (_TOKEN_CHARACTERS // len(digest) + 1))[:_TOKEN_CHARACTERS]


def credentials_of(number: int) -> Credentials:
    """Return what the metadata service gives the instance."""
    key = access_key_of(number)
    return Credentials(
        access_key=key,
        secret_key=SecretStr(secret_of(key)),
        session_token=SecretStr(session_token_of(key)),
        expires=datetime(2126, 1, 1, tzinfo=UTC),
    )
