"""Routes each Elastic IP to the EC2 instance that it is associated with."""

import asyncio
from typing import Final

import structlog

from lab.aws.cloud import Cloud
from lab.machines import firewall
from lab.places import Places

log: Final = structlog.get_logger("lab.aws.elastic")
_EVERY: Final = 0.5


async def follow(cloud: Cloud, places: Places) -> None:
    """Route Elastic IPs until cancelled; a new association takes effect after a short delay."""
    pointed: dict[str, str] = {}
    while True:
        wanted = cloud.addresses()
        if wanted != pointed:
            await asyncio.to_thread(firewall.point, places, wanted)
            log.info("associated the Elastic IPs", addresses=wanted)
            pointed = wanted
        await asyncio.sleep(_EVERY)
