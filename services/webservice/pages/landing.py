"""The front page, for everybody: what this is, and the latest news. It needs no sign-in service."""

import asyncio
from datetime import timedelta
from typing import Final

from aiohttp import web

from runtime import clock
from services.stores.news import Listing, NewsQuery
from services.webservice.rendering.mood import Mood, mood
from services.webservice.site import Site, ask, render, site_of

_HEADLINES: Final = 6
_DAYS: Final = 7


async def get(request: web.Request) -> web.Response:
    """Show it; headlines and mood may each be away."""
    site = site_of(request)
    headlines, trend = await asyncio.gather(
        ask(
            request,
            "headlines",
            _headlines(site),
            away="The news store does not answer at present. Reload in a minute.",
        ),
        ask(
            request,
            "mood",
            of_all(site, days=_DAYS),
            away="The scores do not answer at present. Reload in a minute.",
        ),
    )
    return await render(request, "landing.html", headlines=headlines, mood=trend)


async def of_all(site: Site, *, days: int, symbol: str | None = None) -> Mood | None:
    """The mood of the last days, of one symbol or of all news."""
    today = clock.now().date()
    told = await site.news.sentiment(symbol, today - timedelta(days=days - 1), today)
    return mood(told, until=today, days=days, of=symbol or "all news")


async def _headlines(site: Site) -> list[Listing]:
    found, _ = await site.news.page(NewsQuery(limit=_HEADLINES))
    return found
