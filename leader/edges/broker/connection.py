"""The leader's side of the broker: receives requests, sends replies and heartbeats.

Rule: one client is for BLPOP, the other for everything else; after its own timeout redis-py would
send a long BLPOP again, for ever. Requests are popped one at a time and the list is trimmed
after each: at its memory limit Redis refuses replies until a trim makes room.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

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
    """Two connections to the leader's own Redis, opened by `connected`."""

    def __init__(self, commands: Redis, blocking: Redis, *, cluster: str) -> None:
        self._commands = commands
        self._blocking = blocking
        self._cluster = cluster

    async def next_request(self) -> bytes | None:
        """The oldest request, or None if none arrives within two seconds."""
        key = keys.requests(self._cluster)
        with _translated("taking a request"):
            popped = await self._blocking.blpop([key], timeout=_POP_SECONDS)
            if popped is None:
                return None
            await self._commands.ltrim(key, -keys.REQUESTS_KEPT, -1)
        return popped[1] if isinstance(popped[1], bytes) else popped[1].encode()

    async def waiting(self) -> int:
        """The number of waiting requests."""
        with _translated("counting requests"):
            return int(await self._commands.llen(keys.requests(self._cluster)))

    async def answer(self, name: str, sealed: bytes) -> None:
        """Push a reply to its asker's list, which expires if it is not read."""
        key = keys.reply(self._cluster, name)
        with _translated("sending a reply"):
            pipeline = self._commands.pipeline(transaction=False)
            pipeline.rpush(key, sealed)
            pipeline.expire(key, keys.REPLY_LIFETIME)
            await pipeline.execute()

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Publish that a leader is alive."""
        with _translated("sending a heartbeat"):
            await self._commands.set(
                keys.heartbeat(self._cluster), dump(heartbeat), ex=keys.HEARTBEAT_LIFETIME
            )


@asynccontextmanager
async def connected(
    secrets: ClusterSecrets, *, cluster: str, port: int, within: float = 10.0
) -> AsyncIterator[Broker]:
    """Connect over loopback once Redis listens.

    Raises:
        UnavailableError: it does not listen within that many seconds.
        RefusedError: it does not accept our password.
    """
    commands = _client(secrets, port, blocking=False)
    blocking = _client(secrets, port, blocking=True)
    try:
        try:
            async with asyncio.timeout(within):
                while True:
                    try:
                        with _translated("connecting to the broker"):
                            await commands.ping()
                        break
                    except UnavailableError:
                        await asyncio.sleep(0.05)
        except TimeoutError as exc:
            raise UnavailableError("the broker does not answer") from exc
        yield Broker(commands, blocking, cluster=cluster)
    finally:
        await commands.aclose()
        await blocking.aclose()


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
            f"{attempt}: the broker refuses us; is another Redis on the port?"
        ) from exc
    except ResponseError as exc:
        # Redis is out of memory: the next pop trims the list, and the asker asks again.
        # The error of a pipeline begins with its command, which names a reply list: cut it off.
        cause = str(exc).rpartition("caused error: ")[2]
        raise UnavailableError(f"{attempt}: {cause[:80]}") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: the broker does not answer") from exc
