"""An instance's user data in TOML format, as printed by `spotswarm user-data`.

Any process that can reach the metadata service can read the user data. The user data must therefore
not be enough to join the swarm. The password only keeps strangers away from the broker; to join, an
instance must also prove its identity. Rule: ignore unknown settings, because an old image may get
user data from a newer version.
"""

import tomllib
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from wire.messages import Cluster, MalformedMessage, Role, Secret
from wire.sealing import public_key

FIRST_LINE: Final = "#spotswarm"
"""The first line of our user data, a TOML comment, which no script or cloud-config starts with."""
MOST_SECONDS: Final = 100_000_000
"""The upper limit of every setting that is a number, so that no sum of times overflows."""


class UserData(BaseModel):
    """The settings for an instance's agent and for its leader daemon, if it has one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    cluster: Cluster
    broker: Annotated[str, Field(pattern=r"^rediss://[A-Za-z0-9.-]+:\d+$")]
    """The broker's URL, which always uses TLS and a host name or address in the certificate."""
    password: Secret
    """The password of the broker's user `agent`."""
    leader_keys: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    """The leader's X25519 public keys in base64: one key, or two keys during a key change."""
    ca: str
    """The certificate of the broker's CA in PEM format."""
    role: Role = Role.WORKER
    """The role to request; the leader bases its decision on EC2 data about the instance."""
    identity: Literal["aws", "password"] = "aws"
    sts_endpoint: str | None = None
    """The STS endpoint for the signed call; None means the region's endpoint."""
    deadman_seconds: Annotated[int, Field(ge=0, le=MOST_SECONDS)] = 600
    """A worker powers off if it cannot reach a manager or the leader for this long; 0 disables the
    dead-man switch."""
    leader: Any = None
    """The `[leader]` table. If this table exists, the leader daemon runs. Only the leader reads the
    table, so that an invalid setting there does not prevent the instance from joining."""

    @field_validator("leader_keys")
    @classmethod
    def _are_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for key in keys:
            public_key(key)
        return keys


def parse(text: str) -> UserData:
    """Parse user data.

    Raises:
        MalformedMessage: if any setting is invalid. The error message omits invalid values.
    """
    try:
        return UserData.model_validate(_table(text))
    except ValidationError as exc:
        raise MalformedMessage(f"user data is invalid: {faults(exc)}") from None


def faults(error: ValidationError) -> str:
    """Return the name of each invalid setting and why it is invalid, but not its value."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in details)


def unknown(text: str) -> tuple[str, ...]:
    """Return the names of unknown settings, except those in the `[leader]` table."""
    return tuple(name for name in _table(text) if name not in UserData.model_fields)


def _table(text: str) -> dict[str, Any]:
    if not text.startswith(FIRST_LINE):
        raise MalformedMessage(
            f"user data does not begin with {FIRST_LINE!r};"
            " run `spotswarm user-data` to print valid user data"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise MalformedMessage(f"user data is not valid TOML: {exc}") from None
