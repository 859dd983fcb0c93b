"""Connects the leader to the broker: receives messages, and sends replies and heartbeats.

Rules: to receive, use a separate client without retries, because redis-py would resend a command
that times out in the client, and lose what Redis had popped. Trim the lists with each pop. When
Redis has reached its memory limit, it rejects replies until a pop or a trim frees memory.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from leader.edges.broker import visitors
from leader.edges.broker.configuration import LEADER_USER
from leader.joining.visitors import Visitor
from runtime.batching import Batcher
from runtime.errors import RefusedError, UnavailableError
from wire import keys
from wire.cluster_secrets import ClusterSecrets
from wire.messages import Heartbeat, dump

_POP_SECONDS = 2
_MOST_AT_ONCE: Final = 512
_LEAST_AT_ONCE: Final = 16
_BYTES_AT_ONCE: Final = 1024 * 1024
"""About how much one pop should return. Anyone with the password can push values of a megabyte."""
_REPLIES_AT_ONCE: Final = 200


class Mail(NamedTuple):
    """Messages that the leader has received, oldest first in each list."""

    reports: Sequence[bytes] = ()
    """Notices and farewells, from the members' own list."""
    requests: Sequence[bytes] = ()
    lost: int = 0
    """How many messages a full list has lost before they were read."""


class Broker:
    """The leader's two connections to its Redis server; `connected` opens them."""

    def __init__(self, commands: Redis, blocking: Redis, *, cluster: str) -> None:
        self._commands = commands
        self._blocking = blocking
        self._cluster = cluster
        self._at_once = {
            keys.reports(cluster): _LEAST_AT_ONCE,
            keys.requests(cluster): _LEAST_AT_ONCE,
        }
        self._replies: Batcher[tuple[str, bytes], None] = Batcher(
            self._send_replies, most=_REPLIES_AT_ONCE
        )

    async def receive(self) -> Mail:
        """Return waiting messages, or an empty result if none arrives within two seconds."""
        with _translated("receive messages"):
            pipeline = self._blocking.pipeline(transaction=False)
            for key, count in self._at_once.items():
                pipeline.lpop(key, count)
                pipeline.llen(key)
                pipeline.ltrim(key, -keys.REQUESTS_KEPT, -1)
            results = await pipeline.execute()
        reports, requests = ([_bytes(data) for data in popped or ()] for popped in results[::3])
        for key, messages in zip(self._at_once, (reports, requests), strict=True):
            self._adapt(key, messages)
        lost = sum(max(0, length - keys.REQUESTS_KEPT) for length in results[1::3])
        if reports or requests:
            return Mail(reports, requests, lost)
        oldest = await self._oldest()
        if oldest is None:
            return Mail()
        key, data = oldest
        return Mail(reports=[data]) if key == keys.reports(self._cluster) else Mail((), [data])

    async def next_request(self) -> bytes | None:
        """Return the oldest message of either list, or None if none arrives within two seconds."""
        oldest = await self._oldest()
        if oldest is None:
            return None
        key, data = oldest
        with _translated("receive a message"):
            await self._commands.ltrim(key, -keys.REQUESTS_KEPT, -1)
        return data

    async def _oldest(self) -> tuple[str, bytes] | None:
        with _translated("receive a message"):
            popped = await self._blocking.blpop(list(self._at_once), timeout=_POP_SECONDS)
        return None if popped is None else (_bytes(popped[0]).decode(), _bytes(popped[1]))

    def _adapt(self, key: str, messages: Sequence[bytes]) -> None:
        """Take more messages at a time while they are small, and few while they are large."""
        if not messages:
            return
        fitting = _BYTES_AT_ONCE * len(messages) // (1 + sum(map(len, messages)))
        most = min(_MOST_AT_ONCE, self._at_once[key] * 2, fitting)
        self._at_once[key] = max(_LEAST_AT_ONCE, most)

    async def waiting(self) -> int:
        """Return the number of waiting messages in both lists."""
        with _translated("count the waiting messages"):
            reports = await self._commands.llen(keys.reports(self._cluster))
            requests = await self._commands.llen(keys.requests(self._cluster))
        return int(reports) + int(requests)

    async def answer(self, name: str, sealed: bytes) -> None:
        """Push a reply to the reply list `name`, which expires if the agent does not read it.

        Replies that are sent at the same time share one round trip.
        """
        await self._replies.submit((name, sealed))

    async def _send_replies(
        self, replies: Sequence[tuple[str, bytes]]
    ) -> Sequence[Exception | None]:
        with _translated("send a reply"):
            pipeline = self._commands.pipeline(transaction=False)
            for name, sealed in replies:
                key = keys.reply(self._cluster, name)
                pipeline.rpush(key, sealed)
                pipeline.expire(key, keys.REPLY_LIFETIME)
            results = await pipeline.execute(raise_on_error=False)
        return [_reply_error(result) for result in results[::2]]

    async def visitors(self) -> Sequence[Visitor]:
        """Return the connections to the broker, except the leader's own."""
        with _translated("list the broker's connections"):
            # With two arguments, redis-py does not parse the answer, which takes it a long time.
            command = self._commands.execute_command("CLIENT", "LIST")  # type: ignore[no-untyped-call]
            listed = await command
        return visitors.parse(_bytes(listed).decode(errors="replace"))

    async def close(self, connections: Sequence[int]) -> None:
        """Close the connections with these ids; ignore those that are closed already."""
        with _translated("close connections to the broker"):
            pipeline = self._commands.pipeline(transaction=False)
            for connection in connections:
                pipeline.client_kill_filter(_id=str(connection))
            await pipeline.execute(raise_on_error=False)

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


def _bytes(answer: bytes | str) -> bytes:
    return answer if isinstance(answer, bytes) else answer.encode()


def _reply_error(result: object) -> Exception | None:
    """Return the error for one reply of a batch, or None if Redis accepted the reply."""
    if not isinstance(result, Exception):
        return None
    try:
        with _translated("send a reply"):
            raise result
    except (RefusedError, UnavailableError) as exc:
        return exc


@contextmanager
def _translated(attempt: str) -> Iterator[None]:
    try:
        yield
    except (AuthenticationError, NoPermissionError) as exc:
        raise RefusedError(
            f"could not {attempt}: Redis denied access; check whether another Redis uses the port"
        ) from exc
    except ResponseError as exc:
        # Redis is out of memory: the next pop frees some, and the agent sends a new request.
        # A pipeline error begins with the command, which contains a reply list's name: remove it.
        cause = str(exc).rpartition("caused error: ")[2]
        raise UnavailableError(f"could not {attempt}: {cause[:80]}") from exc
    except (RedisError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"could not {attempt}: the broker is not responding") from exc
