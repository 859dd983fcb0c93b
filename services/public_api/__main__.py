"""Run public_api: `python -m services.public_api`."""

import sys

from runtime import lifecycle, logs
from runtime.web import serve
from services.public_api.app import built
from services.public_api.settings import Settings


async def _live() -> None:
    settings = Settings()
    async with built(settings) as app:
        await serve(app, settings)


if __name__ == "__main__":
    logs.configure()
    sys.exit(lifecycle.run(_live(), name="public_api"))
