"""Carries out the actions that AWS announced, and sends every state change to the queue.

Rule: stop and terminate instances through moto's EC2 operations, so that EC2's responses agree with
the events. The hypervisor then stops the machine, as it does after an API call.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from lab.aws.announced import Taking
from lab.aws.cloud import Cloud
from lab.aws.market import Market
from lab.machines.record import Stage
from runtime import clock

log: Final = structlog.get_logger("lab.aws.taking")
_EVERY: Final = 0.2


async def follow(
    market: Market,
    cloud: Cloud,
    *,
    stages: Callable[[], Mapping[str, Stage]],
    reboot: Callable[[str], None],
) -> None:
    """Carry out actions when they are due, and send events for state changes, until cancelled."""
    while True:
        instances = cloud.instances()
        market.observe(instances, stages(), now=clock.now())
        for name, taking in market.due(instances, now=clock.now()).items():
            log.info("carried out an announced action", instance=name, how=taking)
            match taking:
                case Taking.TERMINATE:
                    cloud.terminate(name)
                case Taking.STOP:
                    cloud.stop(name)
                case Taking.REBOOT:
                    reboot(name)
        await asyncio.sleep(_EVERY)
