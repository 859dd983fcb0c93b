"""Entry point: run the site with `python -m services.webservice`."""

from runtime.web.application import main, serve
from services.webservice.app import NAME, opened
from services.webservice.settings import Settings


async def _live(settings: Settings) -> None:
    async with opened(settings) as app:
        await serve(app, settings)


if __name__ == "__main__":
    main(NAME, Settings, _live)
