"""Run cp_api: `python -m services.cp_api`."""

import asyncio

from runtime.web.application import main, serve
from services.cp_api.app import opened
from services.cp_api.settings import Settings


async def _live(settings: Settings) -> None:
    # Not `together`, which cancels again and again: a second time would end the lingering.
    async with opened(settings) as (app, broker, market), asyncio.TaskGroup() as group:
        group.create_task(broker.run(), name="broker")
        group.create_task(market.run(), name="market")
        await serve(app, settings)


if __name__ == "__main__":
    main("cp_api", Settings, _live)
