"""The user data that an instance boots with: TOML, printed by `spotswarm init` and `user-data`.

Any process that reaches the metadata service can read it, so nothing in it is enough to join: the
broker's password only keeps strangers off the broker, and identity is proven separately. Rule:
unknown settings are ignored, because an old image may get new user data; `unknown` names them.
"""

import tomllib
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from wire.messages import Cluster, MalformedMessage, Role, Secret
from wire.sealing import public_key

FIRST_LINE: Final = "#spotswarm"
"""Distinguishes our user data from a script or a cloud-config; a comment in TOML."""


class UserData(BaseModel):
    """The settings of one instance's agent, and the table for its leader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: Cluster
    broker: Annotated[str, Field(pattern=r"^rediss://[A-Za-z0-9.-]+:\d+$")]
    """The broker's URL: always TLS, with a name or an address from the broker's certificate."""
    password: Secret
    """The password of the broker's user `agent`."""
    leader_keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    """The leader's X25519 public keys in base64: one, or two during a change of keys."""
    ca: str
    """PEM of the CA that signed the broker's certificate."""
    role: Role = Role.WORKER
    """The role to request; the leader decides by what EC2 says about the instance."""
    identity: Literal["aws", "password"] = "aws"
    sts_endpoint: str | None = None
    """The endpoint of the signed call; None: the region's own endpoint."""
    deadman_seconds: Annotated[int, Field(ge=0)] = 600
    """A worker that reaches neither managers nor leader for so long powers off; 0: never."""
    leader: Any = None
    """The `[leader]` table: if there is one, the leader daemon runs. Only the leader reads it, so
    that a wrong setting in it does not keep the instance from joining."""

    @field_validator("leader_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            public_key(key)
        return keys


def parse(text: str) -> UserData:
    """Read user data.

    Raises:
        MalformedMessage: names every wrong setting and never quotes a value.
    """
    try:
        return UserData.model_validate(_table(text))
    except ValidationError as exc:
        raise MalformedMessage(f"user data: {faults(exc)}") from None


def faults(error: ValidationError) -> str:
    """The wrong settings and what is wrong with each, without their values."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in details)


def unknown(text: str) -> tuple[str, ...]:
    """Names of settings that this build does not know; the leader checks its own table."""
    return tuple(name for name in _table(text) if name not in UserData.model_fields)


def _table(text: str) -> dict[str, Any]:
    if not text.startswith(FIRST_LINE):
        raise MalformedMessage(
            f"user data does not begin with {FIRST_LINE!r}: print it with `spotswarm user-data`"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise MalformedMessage(f"user data is not TOML: {exc}") from None
