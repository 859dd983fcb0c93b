"""Entry point: run public_api with `python -m services.public_api`."""

from runtime.web.application import main, serve
from services.public_api.app import NAME, opened
from services.public_api.settings import Settings


async def _live(settings: Settings) -> None:
    async with opened(settings) as app:
        await serve(app, settings)


if __name__ == "__main__":
    main(NAME, Settings, _live)
