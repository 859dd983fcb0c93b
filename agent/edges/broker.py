"""The agent's side of the broker: one message out, one reply back at most, then hang up.

A fresh connection for each question: an idle one per instance would fill the broker's
connection limit. Rule: what the broker answers proves nothing until its box is opened.
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
    """The broker took the request, and nobody answered in time."""


async def ask(told: UserData, reply: str, sealed: bytes, within: float) -> bytes:
    """Push one sealed request and wait for its sealed reply.

    Raises:
        RefusedError: wrong CA, wrong name or wrong password: user data must change.
        NoReplyError: no leader behind the broker, or a silent one; the message says which.
        UnavailableError: no broker.
    """
    async with _connected(told, within) as client:
        await client.rpush(keys.requests(told.cluster), sealed)
        popped = await client.blpop([keys.reply(told.cluster, reply)], timeout=within)
        if popped is None:
            raise NoReplyError(await _why_silent(client, told.cluster))
    answer = popped[1]
    return answer if isinstance(answer, bytes) else answer.encode()


async def push(told: UserData, sealed: bytes) -> None:
    """Push one sealed message that gets no reply; raises as `ask` does."""
    async with _connected(told, 0) as client:
        await client.rpush(keys.requests(told.cluster), sealed)


async def is_leader_there(told: UserData) -> bool:
    """Whether the broker has a heartbeat, which lives for seconds; raises as `ask` does."""
    async with _connected(told, 0) as client:
        return await client.get(keys.heartbeat(told.cluster)) is not None


@asynccontextmanager
async def _connected(told: UserData, within: float) -> AsyncIterator[Redis]:
    client = _client(told, within)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS + within + 2):
            yield client
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(
            "the broker refuses our password: user data is of other secrets"
        ) from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise _translated(exc) from exc
    finally:
        await client.aclose()


async def _why_silent(client: Redis, cluster: str) -> str:
    beat = await client.get(keys.heartbeat(cluster))
    if beat is None:
        return "the broker is there, but no leader behind it"
    try:
        found = parse(beat if isinstance(beat, bytes) else beat.encode())
    except MalformedMessage:
        return "the leader does not answer"
    seen = f" (last seen {found.at:%H:%M:%S} UTC)" if isinstance(found, Heartbeat) else ""
    return f"the leader does not answer{seen}; is its key the one in user data?"


def _client(told: UserData, within: float) -> Redis:
    url = urlsplit(told.broker)
    return Redis(
        host=url.hostname or "",
        port=url.port or 0,
        username=_USER,
        password=told.password.get_secret_value(),
        ssl=True,
        ssl_ca_data=told.ca,
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
                f"the broker's certificate is not to be believed: {cause.verify_message}"
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, OutOfMemoryError):
        return UnavailableError("the broker is full; it makes room with the next request it takes")
    return UnavailableError("the broker does not answer")
