"""The messages between agents and the leader: frozen, versioned, and distinguished by `kind`.

Rule: give each new field a default, and never rename a field. Receivers ignore unknown fields. For
a new meaning, use a new kind or version. Every kind has an example in `wire/examples/`, which every
later version must be able to parse.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from wire.times import SignedTime, Time

VERSION: Final = 1
MAX_BYTES: Final = 8 * 1024
"""The maximum message size. Longer messages are rejected without parsing; valid messages are
shorter than 4 KiB."""

Token128 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits in hexadecimal, for nonces and reply names."""

Cluster = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""A cluster's name, as used in Redis keys, tags and signed headers."""

Secret = Annotated[
    SecretStr,
    PlainSerializer(lambda secret: secret.get_secret_value(), when_used="json"),
]
"""A value that is printed as asterisks, except in the JSON from `dump`."""


class MalformedMessage(ValueError):  # noqa: N818  no suffix, because it is not in runtime.errors
    """Raised for invalid external data. The error message never quotes this data."""


class UnknownMessage(MalformedMessage):
    """Raised for a message of an unknown kind or version, perhaps from a newer sender."""


class Role(StrEnum):
    """The role of an instance in the swarm."""

    WORKER = "worker"
    MANAGER = "manager"


class Availability(StrEnum):
    """A node's availability in Swarm, which determines whether the node gets tasks."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class DenialCode(StrEnum):
    """A code that tells the agent why its request was denied, without revealing details."""

    WRONG_CLUSTER = "wrong-cluster"
    STALE = "stale"
    REPLAYED = "replayed"
    RATE_LIMITED = "rate-limited"
    IDENTITY_MODE = "identity-mode"
    PROOF_FORM = "proof-form"
    PROOF_REFUSED = "proof-refused"
    WRONG_ACCOUNT = "wrong-account"
    WRONG_ROLE = "wrong-role"
    UNKNOWN_INSTANCE = "unknown-instance"
    NOT_RUNNING = "not-running"
    NOT_IN_CLUSTER = "not-in-cluster"
    ALREADY_JOINED = "already-joined"
    SPOT_MANAGER = "spot-manager"
    NOT_A_MANAGER = "not-a-manager"
    MANAGERS_COMPLETE = "managers-complete"
    MANAGER_CHANGE = "manager-change"
    NOT_READY = "not-ready"
    AWS_AWAY = "aws-away"
    LEAVING = "leaving"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = 1


class AwsProof(BaseModel):
    """The variable parts of an STS GetCallerIdentity call.

    The agent signs the call with the credentials of its instance's IAM role. The leader adds the
    host, the method, the body and the other signed headers itself. An agent therefore cannot make
    the leader send a different request (compare CVE-2020-16250).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["aws"] = "aws"
    authorization: Secret = Field(max_length=1024)
    date: SignedTime
    session_token: Secret = Field(max_length=4096)


class PasswordClaim(BaseModel):
    """The claimed identity of a machine outside AWS, proven only by the broker's password."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["password"] = "password"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$")]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")]


class JoinRequest(_Message):
    """An agent's request for a join token."""

    kind: Literal["join-request"] = "join-request"
    cluster: Cluster
    nonce: Token128
    reply: Token128
    role: Role
    issued: Time
    identity: Annotated[AwsProof | PasswordClaim, Field(discriminator="mode")]


class Grant(_Message):
    """Permission from the leader to join. Contains the join token and the managers to contact."""

    kind: Literal["grant"] = "grant"
    cluster: Cluster
    nonce: Token128
    instance: str
    role: Role
    expires: Time
    token: Secret
    managers: tuple[str, ...] = Field(min_length=1)
    availability: Availability


class Denial(_Message):
    """The leader's denial of a request. `leader_time` helps an agent whose clock is wrong."""

    kind: Literal["denial"] = "denial"
    cluster: Cluster
    nonce: Token128
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,40}$")]
    """A `DenialCode`, or a code from a newer leader; an agent waits after an unknown code."""
    leader_time: Time
    retry_after_seconds: int = Field(ge=0, le=3600)


class Notice(_Message):
    """An agent's report that AWS has sent a notice about the agent's instance.

    The report is encrypted with the agent's join key. The agent repeats the report, with a new
    `reply`, until AWS withdraws the notice. Messages with the same `instance`, `notice` and `event`
    are about the same notice.
    """

    kind: Literal["notice"] = "notice"
    cluster: Cluster
    instance: str
    notice: Literal["interruption", "rebalance", "maintenance"]
    action: Literal["terminate", "stop", "hibernate"] | None = None
    effective: Time | None = None
    """When AWS will act, or for a rebalance recommendation, when AWS made the recommendation."""
    seen: Time
    reply: Token128 | None = None
    """The name of the list on which the agent waits for `Leave`."""
    event: Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,80}$")] | None = None
    """The AWS EventId of the scheduled maintenance."""


class Leave(_Message):
    """The leader's order to an agent to leave the swarm, with the reason."""

    kind: Literal["leave"] = "leave"
    cluster: Cluster
    instance: str
    reason: str = Field(max_length=200)
    at: Time


class Farewell(_Message):
    """An agent's message that its node has left the swarm, encrypted with the agent's join key."""

    kind: Literal["farewell"] = "farewell"
    cluster: Cluster
    instance: str
    node: str
    reason: str = Field(max_length=200)
    at: Time


class Heartbeat(_Message):
    """The active leader's heartbeat. Every agent can read it, so it contains no secrets."""

    kind: Literal["heartbeat"] = "heartbeat"
    cluster: Cluster
    leader: str
    at: Time


Message = Annotated[
    JoinRequest | Grant | Denial | Notice | Leave | Farewell | Heartbeat,
    Field(discriminator="kind"),
]
AnyMessage = JoinRequest | Grant | Denial | Notice | Leave | Farewell | Heartbeat
_MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(Message, config=ConfigDict(defer_build=True))


def parse(data: bytes) -> AnyMessage:
    """Parse one message.

    Raises:
        UnknownMessage: if the message's kind or version is unknown.
        MalformedMessage: if the message is too long, is not JSON, or does not match the format
            of its kind.
    """
    if len(data) > MAX_BYTES:
        raise MalformedMessage(
            f"the message has {len(data)} bytes, but the maximum is {MAX_BYTES} bytes"
        )
    try:
        return _MESSAGES.validate_json(data)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        unknown = any(
            fault["type"].startswith("union_tag")
            or (fault["type"] == "literal_error" and fault["loc"][-1] == "v")
            for fault in faults
        )
        where = ", ".join(
            sorted({".".join(map(str, fault["loc"])) or "format" for fault in faults})
        )
        error = UnknownMessage if unknown else MalformedMessage
        # Do not chain the validation error, because it would quote the data, including secrets.
        raise error(f"the message is not valid in this version: {where}") from None


def dump(message: AnyMessage) -> bytes:
    """Return a message as JSON, without fields that are None.

    The JSON may contain secrets in plain text. Encrypt it unless this kind of message never
    contains secrets.
    """
    return message.model_dump_json(exclude_none=True).encode()


def is_fresh(issued: datetime, now: datetime, skew: timedelta) -> bool:
    """Return whether `issued` and `now` differ by at most `skew`."""
    return abs(now - issued) <= skew
