"""Sends messages to the broker and waits for replies.

Each message uses a new connection, because one idle connection per instance would exhaust the
broker's connection limit. Rule: trust a reply only after decrypting it with our keys. Decryption
also verifies the sender.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
_CONNECT_TO_JOIN_SECONDS = 8.0
"""Thousands of instances may connect at once. Whoever gives up during a TLS handshake has to begin
again, and keeps Redis busy for nothing."""
_USER = "agent"


class NoReplyError(UnavailableError):
    """Raised when the broker accepts a request but no reply arrives in time."""


async def ask(user_data: UserData, reply: str, sealed: bytes, within: float) -> bytes:
    """Send an encrypted request and wait up to `within` seconds for an encrypted reply.

    Raises:
        RefusedError: if the CA, host name or password in user data is wrong.
        NoReplyError: if there is no leader or the leader does not reply.
        UnavailableError: if the broker does not respond or is out of memory.
    """
    async with _connected(user_data, within, connect=_CONNECT_TO_JOIN_SECONDS) as client:
        await client.rpush(keys.requests(user_data.cluster), sealed)
        return await _reply(client, user_data, reply, within)


async def report(user_data: UserData, reply: str, sealed: bytes, within: float) -> bytes:
    """Send a member's encrypted report and wait up to `within` seconds for an encrypted reply.

    Raises the same errors as `ask`.
    """
    async with _connected(user_data, within) as client:
        await _push_report(client, user_data, sealed)
        return await _reply(client, user_data, reply, within)


async def push(user_data: UserData, sealed: bytes) -> None:
    """Send a member's encrypted report that requires no reply.

    Raises:
        RefusedError: if the CA, host name or password in user data is wrong.
        UnavailableError: if the broker does not respond or is out of memory.
    """
    async with _connected(user_data, 0) as client:
        await _push_report(client, user_data, sealed)


async def is_leader_there(user_data: UserData) -> bool:
    """Return whether the leader has sent a heartbeat recently.

    Raises:
        RefusedError: if the CA, host name or password in user data is wrong.
        UnavailableError: if the broker does not respond.
    """
    async with _connected(user_data, 0) as client:
        return await client.get(keys.heartbeat(user_data.cluster)) is not None


async def _push_report(client: Redis, user_data: UserData, sealed: bytes) -> None:
    try:
        await client.rpush(keys.reports(user_data.cluster), sealed)
    except NoPermissionError:
        # The leader has an earlier version, which reads everything from one list.
        await client.rpush(keys.requests(user_data.cluster), sealed)


async def _reply(client: Redis, user_data: UserData, reply: str, within: float) -> bytes:
    popped = await client.blpop([keys.reply(user_data.cluster, reply)], timeout=within)
    if popped is None:
        raise NoReplyError(await _why_silent(client, user_data.cluster))
    answer = popped[1]
    return answer if isinstance(answer, bytes) else answer.encode()


@asynccontextmanager
async def _connected(
    user_data: UserData, within: float, *, connect: float = _CONNECT_SECONDS
) -> AsyncIterator[Redis]:
    client = _client(user_data, within, connect)
    try:
        async with asyncio.timeout(connect + within + 2):
            yield client
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(
            "the broker rejected the password in user data; create new user data with"
            " `spotswarm user-data`"
        ) from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise _translated(exc) from exc
    finally:
        # redis-py raises a TimeoutError if Redis does not respond to the TLS shutdown.
        with suppress(RedisError):
            await client.aclose()


async def _why_silent(client: Redis, cluster: str) -> str:
    beat = await client.get(keys.heartbeat(cluster))
    if beat is None:
        return "the broker is responding, but there is no leader"
    try:
        heartbeat = parse(beat if isinstance(beat, bytes) else beat.encode())
    except MalformedMessage:
        return "the leader is not responding"
    at = f" (last seen {heartbeat.at:%H:%M:%S} UTC)" if isinstance(heartbeat, Heartbeat) else ""
    return f"the leader is not responding{at}; check that user data contains the leader's key"


def _client(user_data: UserData, within: float, connect: float) -> Redis:
    url = urlsplit(user_data.broker)
    return Redis(
        host=url.hostname or "",
        port=url.port or 0,
        username=_USER,
        password=user_data.password.get_secret_value(),
        ssl=True,
        ssl_ca_data=user_data.ca,
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
        socket_connect_timeout=connect,
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
        return UnavailableError("the broker is full until the leader receives the next request")
    return UnavailableError("the broker is not responding")
