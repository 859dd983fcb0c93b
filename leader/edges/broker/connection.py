"""Connects the leader to the broker: receives requests, and sends replies and heartbeats.

Rules: for BLPOP, use a separate client without retries, because redis-py would resend a BLPOP that
times out in the client. Pop one request at a time, and trim the list after each pop. When Redis has
reached its memory limit, it rejects replies until a trim frees memory.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from leader.edges.broker.configuration import LEADER_USER
from runtime.errors import RefusedError, UnavailableError
from wire import keys
from wire.cluster_secrets import ClusterSecrets
from wire.messages import Heartbeat, dump

_POP_SECONDS = 2


class Broker:
    """The leader's two connections to its Redis server; `connected` opens them."""

    def __init__(self, commands: Redis, blocking: Redis, *, cluster: str) -> None:
        self._commands = commands
        self._blocking = blocking
        self._cluster = cluster

    async def next_request(self) -> bytes | None:
        """Return the oldest request, or None if no request arrives within two seconds."""
        key = keys.requests(self._cluster)
        with _translated("receive a request"):
            popped = await self._blocking.blpop([key], timeout=_POP_SECONDS)
            if popped is None:
                return None
            await self._commands.ltrim(key, -keys.REQUESTS_KEPT, -1)
        return popped[1] if isinstance(popped[1], bytes) else popped[1].encode()

    async def waiting(self) -> int:
        """Return the number of waiting requests."""
        with _translated("count the waiting requests"):
            return int(await self._commands.llen(keys.requests(self._cluster)))

    async def answer(self, name: str, sealed: bytes) -> None:
        """Push a reply to the reply list `name`, which expires if the agent does not read it."""
        key = keys.reply(self._cluster, name)
        with _translated("send a reply"):
            pipeline = self._commands.pipeline(transaction=False)
            pipeline.rpush(key, sealed)
            pipeline.expire(key, keys.REPLY_LIFETIME)
            await pipeline.execute()

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Publish a heartbeat, which shows agents that a leader is active."""
        with _translated("send a heartbeat"):
            await self._commands.set(
                keys.heartbeat(self._cluster), dump(heartbeat), ex=keys.HEARTBEAT_LIFETIME
            )


@asynccontextmanager
async def connected(
    secrets: ClusterSecrets, *, cluster: str, port: int, within: float = 10.0
) -> AsyncIterator[Broker]:
    """Wait until Redis is listening on loopback, and connect to it.

    Raises:
        UnavailableError: if Redis is not listening after `within` seconds.
        RefusedError: if Redis rejects our password.
    """
    commands = _client(secrets, port, blocking=False)
    blocking = _client(secrets, port, blocking=True)
    try:
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        with _translated("connect to the broker"):
                            await commands.ping()
                        break
                    except UnavailableError:
                        await asyncio.sleep(0.05)
        except TimeoutError as exc:
            raise UnavailableError("the broker is not responding") from exc
        yield Broker(commands, blocking, cluster=cluster)
    finally:
        for client in (commands, blocking):
            # redis-py raises a TimeoutError if Redis does not respond to the TLS shutdown.
            with suppress(RedisError):
                await client.aclose()


def _client(secrets: ClusterSecrets, port: int, *, blocking: bool) -> Redis:
    return Redis(
        host="127.0.0.1",
        port=port,
        username=LEADER_USER,
        password=secrets.leader_password.get_secret_value(),
        ssl=True,
        ssl_ca_data=secrets.ca,
        ssl_min_version=ssl.TLSVersion.TLSv1_2,
        socket_connect_timeout=3,
        socket_timeout=_POP_SECONDS + 5 if blocking else 5,
        retry=Retry(ExponentialBackoff(), 0 if blocking else 2),
        driver_info=None,
    )


@contextmanager
def _translated(attempt: str) -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(
            f"could not {attempt}: Redis denied access; check whether another Redis uses the port"
        ) from exc
    except ResponseError as exc:
        # Redis is out of memory: the next pop trims the list, and the agent sends a new request.
        # A pipeline error begins with the command, which contains a reply list's name: remove it.
        cause = str(exc).rpartition("caused error: ")[2]
        raise UnavailableError(f"could not {attempt}: {cause[:80]}") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"could not {attempt}: the broker is not responding") from exc
