"""Runs the broker during a term: Redis, the leader's connection to Redis, and the heartbeat.

Rule: if one of the three fails, stop all of them; the term then restarts the broker with a new
Redis server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack

from leader.edges.broker.connection import Broker
from leader.edges.broker.redis_server import RedisServer
from leader.term.mailbox import Mailbox
from runtime import clock
from runtime.errors import UnavailableError
from runtime.streams import cancel_all, resilient, together
from wire import keys
from wire.messages import Heartbeat

ServerFactory = Callable[[], RedisServer]
BrokerFactory = Callable[[AsyncExitStack], Coroutine[object, object, Broker]]


class BrokerService:
    """Runs the broker for the active leader."""

    def __init__(self, *, cluster: str, leader: str, start: ServerFactory, connect: BrokerFactory):
        self._cluster = cluster
        self._leader = leader
        self._start = start
        self._connect = connect
        self.starts = 0
        """The number of times that Redis was started."""

    async def run(self, mailbox: Mailbox, take: Callable[[Broker], Awaitable[None]]) -> None:
        """Start Redis, then send heartbeats and receive requests until an error occurs."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._start())
            broker = await self._connected(server, stack)
            self.starts += 1
            mailbox.connect(broker)
            stack.callback(mailbox.disconnect)
            await together(
                take_requests=resilient("requests", lambda: take(broker)),
                send_heartbeats=resilient("heartbeat", lambda: self._send_heartbeats(broker)),
                watch_redis=_fail_when_ended(server),
            )

    async def _connected(self, server: RedisServer, stack: AsyncExitStack) -> Broker:
        """Connect to Redis; raise UnavailableError with the exit code if Redis exits first."""
        connecting = asyncio.create_task(self._connect(stack), name="connect to the broker")
        watching = asyncio.create_task(_fail_when_ended(server), name="watch the starting broker")
        try:
            await asyncio.wait({connecting, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and not connecting.done():
                watching.result()
            return await connecting
        finally:
            await cancel_all((connecting, watching))

    async def _send_heartbeats(self, broker: Broker) -> None:
        while True:
            await broker.beat(Heartbeat(cluster=self._cluster, leader=self._leader, at=clock.now()))
            await asyncio.sleep(keys.HEARTBEAT_EVERY.total_seconds())


async def _fail_when_ended(server: RedisServer) -> None:
    raise UnavailableError(await server.ended())
