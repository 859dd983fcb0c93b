"""The agent's side of the token broker: send one message, read at most one reply, disconnect.

Each message gets a new connection: an idle one per instance would exhaust the broker's
connection limit. Rule: a reply proves nothing until its box is opened.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
)

from runtime.errors import RefusedError, UnavailableError
from wire import keys
from wire.messages import Heartbeat, MalformedMessage, parse
from wire.user_data import UserData

_CONNECT_SECONDS = 4.0
_USER = "agent"


class NoReplyError(UnavailableError):
    """The broker took the request, but no reply came in time."""


async def ask(user_data: UserData, reply: str, sealed: bytes, within: float) -> bytes:
    """Push one sealed request and wait for its sealed reply.

    Raises:
        RefusedError: wrong CA, wrong name or wrong password; user data must change.
        NoReplyError: there is no leader, or it is silent; the message says which.
        UnavailableError: the broker does not answer.
    """
    async with _connected(user_data, within) as client:
        await client.rpush(keys.requests(user_data.cluster), sealed)
        popped = await client.blpop([keys.reply(user_data.cluster, reply)], timeout=within)
        if popped is None:
            raise NoReplyError(await _why_silent(client, user_data.cluster))
    answer = popped[1]
    return answer if isinstance(answer, bytes) else answer.encode()


async def push(user_data: UserData, sealed: bytes) -> None:
    """Push one sealed message that gets no reply; raises as `ask` does."""
    async with _connected(user_data, 0) as client:
        await client.rpush(keys.requests(user_data.cluster), sealed)


async def is_leader_there(user_data: UserData) -> bool:
    """Whether the leader sent a heartbeat in the last seconds; raises as `ask` does."""
    async with _connected(user_data, 0) as client:
        return await client.get(keys.heartbeat(user_data.cluster)) is not None


@asynccontextmanager
async def _connected(user_data: UserData, within: float) -> AsyncIterator[Redis]:
    client = _client(user_data, within)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS + within + 2):
            yield client
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(
            "the broker refuses the password in user data: it belongs to other secrets"
        ) from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise _translated(exc) from exc
    finally:
        await client.aclose()


async def _why_silent(client: Redis, cluster: str) -> str:
    beat = await client.get(keys.heartbeat(cluster))
    if beat is None:
        return "the broker answers, but there is no leader"
    try:
        heartbeat = parse(beat if isinstance(beat, bytes) else beat.encode())
    except MalformedMessage:
        return "the leader does not answer"
    at = f" (last seen {heartbeat.at:%H:%M:%S} UTC)" if isinstance(heartbeat, Heartbeat) else ""
    return f"the leader does not answer{at}; is its key the one in user data?"


def _client(user_data: UserData, within: float) -> Redis:
    url = urlsplit(user_data.broker)
    return Redis(
        host=url.hostname or "",
        port=url.port or 0,
        username=_USER,
        password=user_data.password.get_secret_value(),
        ssl=True,
        ssl_ca_data=user_data.ca,
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=within + 5,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,
    )


def _translated(exc: BaseException) -> RefusedError | UnavailableError:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RefusedError(
                f"the broker's certificate cannot be trusted: {cause.verify_message}"
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, OutOfMemoryError):
        return UnavailableError("the broker is full; it makes room when it takes the next request")
    return UnavailableError("the broker does not answer")
