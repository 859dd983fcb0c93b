"""Entry point: run the sign-in service with `python -m services.auth`."""

from runtime.web.application import main, serve
from services.auth.app import NAME, opened
from services.auth.settings import Settings


async def _live(settings: Settings) -> None:
    async with opened(settings) as app:
        await serve(app, settings)


if __name__ == "__main__":
    main(NAME, Settings, _live)
