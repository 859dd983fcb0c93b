"""Entry point: run the quote service with `python -m services.cp_api`."""

import asyncio

from runtime.web.application import main, serve
from services.cp_api.app import opened
from services.cp_api.settings import Settings


async def _live(settings: Settings) -> None:
    # Do not use `together`: it cancels its tasks repeatedly, and a second cancellation would cut
    # short the lingering.
    async with opened(settings) as (app, gateway, quotes), asyncio.TaskGroup() as group:
        group.create_task(gateway.run(), name="gateway")
        group.create_task(quotes.run(), name="quotes")
        await serve(app, settings)


if __name__ == "__main__":
    main("cp_api", Settings, _live)
