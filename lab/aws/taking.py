"""The loop that does what the market announced, and tells the queue of every change of state.

Rule: EC2 takes by its own calls, so that whoever asks EC2 sees the same as whoever hears of it;
the machine follows by the hypervisor, as after any other call.
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
_EVERY: Final = 0.1


async def follow(
    market: Market,
    cloud: Cloud,
    *,
    stages: Callable[[], Mapping[str, Stage]],
    reboot: Callable[[str], None],
) -> None:
    """Take and tell until cancelled."""
    while True:
        instances = cloud.instances()
        market.observe(instances, stages(), now=clock.now())
        for name, taking in market.due(instances, now=clock.now()).items():
            log.info("instance taken", instance=name, how=taking)
            match taking:
                case Taking.TERMINATE:
                    cloud.terminate(name)
                case Taking.STOP:
                    cloud.stop(name)
                case Taking.REBOOT:
                    reboot(name)
        await asyncio.sleep(_EVERY)
