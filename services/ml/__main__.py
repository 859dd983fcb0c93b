"""Entry point: run the ml service with `python -m services.ml`."""

import asyncio

from runtime.web.application import main, serve
from services.ml.app import opened
from services.ml.settings import Settings


async def _live(settings: Settings) -> None:
    async with opened(settings) as (app, follower), asyncio.TaskGroup() as group:
        group.create_task(follower.run(), name="follower of the news")
        await serve(app, settings)


if __name__ == "__main__":
    main("ml", Settings, _live)
