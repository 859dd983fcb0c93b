"""The messages, frozen and versioned, as one union tagged by `kind`.

Rule: fields are added with a default or not at all, and never renamed; receivers ignore
fields they do not know. A new meaning gets a new kind or a new version. Every kind has an
example in `wire/examples/` that must parse for ever.
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
"""A message longer than this is refused unread: the longest honest one is below 4 KiB."""

Token128 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits in hex: nonces and reply names."""

Cluster = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""A cluster's name; it stands in Redis keys, tags and signed headers."""

Secret = Annotated[
    SecretStr,
    PlainSerializer(lambda secret: secret.get_secret_value(), when_used="json"),
]
"""A value shown as asterisks everywhere but in the JSON that `dump` makes."""


class MalformedMessage(ValueError):  # noqa: N818  the name of the error tree in runtime.errors
    """Data from outside is not what the contract says; it never quotes that data."""


class UnknownMessage(MalformedMessage):
    """A kind or version this build does not know: normal between versions, to be dropped."""


class Role(StrEnum):
    """What an instance is in the swarm."""

    WORKER = "worker"
    MANAGER = "manager"


class Availability(StrEnum):
    """Swarm's word for whether a node takes tasks."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class DenialCode(StrEnum):
    """Why a join was denied, as told to the agent; the sentence stays at the leader."""

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

    The leader rebuilds host, method, body and bound headers itself (the lesson of
    CVE-2020-16250), so nothing here can make it call anything else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["aws"] = "aws"
    authorization: Secret = Field(max_length=1024)
    date: Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}Z$")]
    session_token: Secret = Field(max_length=4096)


class PasswordClaim(BaseModel):
    """What a machine outside AWS says of itself; worth no more than the broker's password."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mode: Literal["password"] = "password"
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$")]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$")]


class JoinRequest(_Message):
    """An agent asks for a join token."""

    kind: Literal["join-request"] = "join-request"
    cluster: Cluster
    nonce: Token128
    reply: Token128
    role: Role
    issued: AwareDatetime
    identity: Annotated[AwsProof | PasswordClaim, Field(discriminator="mode")]


class Grant(_Message):
    """The leader grants: join now, at one of these managers, with this token."""

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
    """The leader denies; `leader_time` lets an agent with a wrong clock sign anew."""

    kind: Literal["denial"] = "denial"
    cluster: Cluster
    nonce: Token128
    code: Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,40}$")]
    """A `DenialCode`, or one of a later leader, which an older agent waits out as any other."""
    leader_time: AwareDatetime
    retry_after_seconds: int = Field(ge=0, le=3600)


class Notice(_Message):
    """An agent passes on what AWS told its instance; boxed by the key of its join.

    Sent again, with another `reply`, for as long as it stands. It is one and the same notice
    by instance, `notice` and `event`.
    """

    kind: Literal["notice"] = "notice"
    cluster: Cluster
    instance: str
    notice: Literal["interruption", "rebalance", "maintenance"]
    action: Literal["terminate", "stop", "hibernate"] | None = None
    effective: AwareDatetime | None = None
    """When AWS acts; of a rebalance recommendation, when it was made."""
    seen: AwareDatetime
    reply: Token128 | None = None
    """Names the list on which the agent waits for `Leave`."""
    event: Annotated[str, StringConstraints(pattern=r"^[\w.:-]{1,80}$")] | None = None
    """AWS's EventId of a maintenance."""


class Leave(_Message):
    """The leader has emptied the node: leave the swarm now; boxed to the key of its join."""

    kind: Literal["leave"] = "leave"
    cluster: Cluster
    instance: str
    reason: str = Field(max_length=200)
    at: AwareDatetime


class Farewell(_Message):
    """An agent has left the swarm and says why; boxed by the key of its join."""

    kind: Literal["farewell"] = "farewell"
    cluster: Cluster
    instance: str
    node: str
    reason: str = Field(max_length=200)
    at: AwareDatetime


class Heartbeat(_Message):
    """The active leader is alive; readable by every agent, so it holds nothing secret."""

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
        UnknownMessage: its kind or version is not known to this build.
        MalformedMessage: it is too long, no JSON, or not of its kind's shape.
    """
    if len(data) > MAX_BYTES:
        raise MalformedMessage(f"a message of {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        return _MESSAGES.validate_json(data)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
        unknown = any(
            fault["type"].startswith("union_tag")
            or (fault["type"] == "literal_error" and fault["loc"][-1] == "v")
            for fault in faults
        )
        where = ", ".join(sorted({".".join(map(str, fault["loc"])) or "form" for fault in faults}))
        error = UnknownMessage if unknown else MalformedMessage
        # The cause would quote the data, secrets and all.
        raise error(f"not a message of this version: {where}") from None


def dump(message: AnyMessage) -> bytes:
    """Write one message, its secrets in clear: only for sealing, or for a public kind.

    A field that is None is left out: every such field has that default.
    """
    return message.model_dump_json(exclude_none=True).encode()


def is_fresh(issued: datetime, now: datetime, skew: timedelta) -> bool:
    """Whether two clocks that should agree do so within `skew`, either way."""
    return abs(now - issued) <= skew
