"""The messages between agents and leader: frozen, versioned, and distinguished by `kind`.

Rule: a new field needs a default, and no field is ever renamed; receivers ignore fields that they
do not know. A new meaning gets a new kind or a new version. Every kind has an example in
`wire/examples/` that must parse for ever.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

VERSION: Final = 1
MAX_BYTES: Final = 8 * 1024
"""Longer messages are refused unread; the longest valid one is below 4 KiB."""

Token128 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits in hexadecimal, for nonces and reply names."""

Cluster = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""A cluster's name, as used in Redis keys, tags and signed headers."""

Secret = Annotated[
    SecretStr,
    PlainSerializer(lambda secret: secret.get_secret_value(), when_used="json"),
]
"""A value that is shown as asterisks everywhere except in the JSON that `dump` produces."""


class MalformedMessage(ValueError):  # noqa: N818  the name of the error tree in runtime.errors
    """Data from outside breaks the contract; the message never quotes that data."""


class UnknownMessage(MalformedMessage):
    """A kind or version that this build does not know; normal between versions, and dropped."""


class Role(StrEnum):
    """The role of an instance in the swarm."""

    WORKER = "worker"
    MANAGER = "manager"


class Availability(StrEnum):
    """Whether a node takes tasks, in Swarm's own terms."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class DenialCode(StrEnum):
    """Why a join was denied, as sent to the agent; only the leader has the full sentence."""

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
    """An STS GetCallerIdentity call signed by the instance role: values, not a request.

    The leader builds host, method, body and bound headers itself (compare CVE-2020-16250), so
    nothing here can make it call anything else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["aws"] = "aws"
    authorization: Secret = Field(max_length=1024)
    date: Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}Z$")]
    session_token: Secret = Field(max_length=4096)


class PasswordClaim(BaseModel):
    """What a machine outside AWS claims about itself; the broker's password is its only proof."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["password"] = "password"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$")]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")]


class JoinRequest(_Message):
    """An agent requests a join token."""

    kind: Literal["join-request"] = "join-request"
    cluster: Cluster
    nonce: Token128
    reply: Token128
    role: Role
    issued: AwareDatetime
    identity: Annotated[AwsProof | PasswordClaim, Field(discriminator="mode")]


class Grant(_Message):
    """The leader grants the request: join now, through one of these managers, with this token."""

    kind: Literal["grant"] = "grant"
    cluster: Cluster
    nonce: Token128
    instance: str
    role: Role
    expires: AwareDatetime
    token: Secret
    managers: tuple[str, ...] = Field(min_length=1)
    availability: Availability


class Denial(_Message):
    """The leader denies the request; `leader_time` lets an agent with a wrong clock sign again."""

    kind: Literal["denial"] = "denial"
    cluster: Cluster
    nonce: Token128
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,40}$")]
    """A `DenialCode`, or a code of a later leader; an unknown code makes the agent wait."""
    leader_time: AwareDatetime
    retry_after_seconds: int = Field(ge=0, le=3600)


class Notice(_Message):
    """An agent passes on AWS's notice for its instance, boxed with its join key.

    Sent again, with another `reply`, while the notice stands. Messages with the same instance,
    `notice` and `event` are about the same notice.
    """

    kind: Literal["notice"] = "notice"
    cluster: Cluster
    instance: str
    notice: Literal["interruption", "rebalance", "maintenance"]
    action: Literal["terminate", "stop", "hibernate"] | None = None
    effective: AwareDatetime | None = None
    """When AWS will act; for a rebalance recommendation, when AWS made it."""
    seen: AwareDatetime
    reply: Token128 | None = None
    """The name of the list on which the agent waits for `Leave`."""
    event: Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,80}$")] | None = None
    """AWS's EventId of a scheduled maintenance."""


class Leave(_Message):
    """The leader has emptied the node: leave the swarm now. Boxed to the node's join key."""

    kind: Literal["leave"] = "leave"
    cluster: Cluster
    instance: str
    reason: str = Field(max_length=200)
    at: AwareDatetime


class Farewell(_Message):
    """An agent has left the swarm and says why, boxed with its join key."""

    kind: Literal["farewell"] = "farewell"
    cluster: Cluster
    instance: str
    node: str
    reason: str = Field(max_length=200)
    at: AwareDatetime


class Heartbeat(_Message):
    """The active leader is alive; every agent can read it, so it contains no secret."""

    kind: Literal["heartbeat"] = "heartbeat"
    cluster: Cluster
    leader: str
    at: AwareDatetime


Message = Annotated[
    JoinRequest | Grant | Denial | Notice | Leave | Farewell | Heartbeat,
    Field(discriminator="kind"),
]
AnyMessage = JoinRequest | Grant | Denial | Notice | Leave | Farewell | Heartbeat
_MESSAGES: TypeAdapter[AnyMessage] = TypeAdapter(Message, config=ConfigDict(defer_build=True))


def parse(data: bytes) -> AnyMessage:
    """Read one message.

    Raises:
        UnknownMessage: this build does not know its kind or version.
        MalformedMessage: it is too long, not JSON, or breaks the format of its kind.
    """
    if len(data) > MAX_BYTES:
        raise MalformedMessage(f"a message of {len(data)} bytes; at most {MAX_BYTES} are accepted")
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
        # The cause would quote the data, including secrets.
        raise error(f"not a message of this version: {where}") from None


def dump(message: AnyMessage) -> bytes:
    """Write one message with its secrets in clear text: only to seal it, or for a public kind.

    Fields that are None are left out, because None is their default.
    """
    return message.model_dump_json(exclude_none=True).encode()


def is_fresh(issued: datetime, now: datetime, skew: timedelta) -> bool:
    """Whether two clocks agree to within `skew`."""
    return abs(now - issued) <= skew
