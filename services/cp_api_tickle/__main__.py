"""Entry point: run cp_api_tickle with `python -m services.cp_api_tickle`."""

import asyncio

from runtime.web.application import main, serve
from services.cp_api_tickle.app import opened
from services.cp_api_tickle.settings import Settings


async def _live(settings: Settings) -> None:
    # Do not use `together`: it cancels its tasks repeatedly, and a second cancellation would cut
    # short the lingering.
    async with opened(settings) as (app, tickler, webhook), asyncio.TaskGroup() as group:
        group.create_task(tickler.run(), name="tickler")
        group.create_task(webhook.run(), name="webhook")
        await serve(app, settings)


if __name__ == "__main__":
    main("cp_api_tickle", Settings, _live)
