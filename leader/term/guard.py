"""Closes connections to the broker that keep other agents from connecting.

Rule: `leader.joining.visitors` decides which connections are closed; this task only carries it out.
"""

import asyncio
from typing import Final

import structlog

from leader.edges.broker.configuration import MOST_CLIENTS
from leader.edges.broker.connection import Broker
from leader.joining.visitors import to_close
from leader.term.metrics import Metrics
from runtime import clock

log = structlog.get_logger("leader")

_LOOK_SECONDS: Final = 3.0
_LOG_SECONDS: Final = 60.0
_MOST_VISITORS: Final = MOST_CLIENTS * 9 // 10
"""The rest is left free, so that new connections always get through."""


async def guard(broker: Broker, metrics: Metrics) -> None:
    """Look at the broker's connections every three seconds until cancelled.

    Raises:
        UnavailableError: if the broker does not respond.
    """
    logged_at = float("-inf")
    while True:
        visitors = await broker.visitors()
        closing = to_close(visitors, most=_MOST_VISITORS)
        if closing:
            await broker.close([connection.id for connection in closing])
        for connection in closing:
            metrics.connections_closed.labels(connection.reason).inc()
        if closing and clock.monotonic() - logged_at > _LOG_SECONDS:
            logged_at = clock.monotonic()
            log.warning(
                "closed connections to the broker",
                number=len(closing),
                remaining=len(visitors) - len(closing),
                reason=closing[0].reason,
            )
        await asyncio.sleep(_LOOK_SECONDS)
