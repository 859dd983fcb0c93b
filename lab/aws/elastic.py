"""The loop that routes Elastic IPs to their instances, as EC2 associates them."""

import asyncio
from typing import Final

import structlog

from lab.aws.cloud import Cloud
from lab.machines import firewall
from lab.places import Places

log: Final = structlog.get_logger("lab.aws.elastic")
_EVERY: Final = 0.2


async def follow(cloud: Cloud, places: Places) -> None:
    """Route addresses until cancelled; a new association takes effect a moment later."""
    pointed: dict[str, str] = {}
    while True:
        wanted = cloud.addresses()
        if wanted != pointed:
            await asyncio.to_thread(firewall.point, places, wanted)
            log.info("addresses pointed", addresses=wanted)
            pointed = wanted
        await asyncio.sleep(_EVERY)
