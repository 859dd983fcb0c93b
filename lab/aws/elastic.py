"""The loop that lets Elastic IPs lead where EC2 says they do."""

import asyncio
from typing import Final

import structlog

from lab.aws.cloud import Cloud
from lab.machines import firewall
from lab.places import Places

log: Final = structlog.get_logger("lab.aws.elastic")
_EVERY: Final = 0.2


async def follow(cloud: Cloud, places: Places) -> None:
    """Point addresses until cancelled; an association is in force a moment after it is made."""
    pointed: dict[str, str] = {}
    while True:
        wanted = cloud.addresses()
        if wanted != pointed:
            await asyncio.to_thread(firewall.point, places, wanted)
            log.info("addresses pointed", addresses=wanted)
            pointed = wanted
        await asyncio.sleep(_EVERY)
