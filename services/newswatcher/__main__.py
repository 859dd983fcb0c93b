"""Entry point: run newswatcher with `python -m services.newswatcher`."""

import asyncio

from runtime.web.application import main, serve
from services.newswatcher.app import opened
from services.newswatcher.settings import Settings


async def _live(settings: Settings) -> None:
    async with opened(settings) as (app, pollers), asyncio.TaskGroup() as group:
        for poller in pollers:
            group.create_task(poller.run(), name=f"poller of {poller.feed.name}")
        await serve(app, settings)


if __name__ == "__main__":
    main("newswatcher", Settings, _live)
