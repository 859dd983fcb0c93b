"""Run newswatcher: `python -m services.newswatcher`."""

import asyncio

from runtime.web.application import main, serve
from services.newswatcher.app import assembled
from services.newswatcher.settings import Settings


async def _live(settings: Settings) -> None:
    async with assembled(settings) as (app, watches), asyncio.TaskGroup() as group:
        for watch in watches:
            group.create_task(watch.run(), name=f"watch of {watch.feed.name}")
        await serve(app, settings)


if __name__ == "__main__":
    main("newswatcher", Settings, _live)
