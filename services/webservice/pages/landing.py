"""The front page, which presents the site and the latest news without requiring a login."""

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
    """Show the front page, even if sentiment or headlines are unavailable."""
    site = site_of(request)
    headlines, trend = await asyncio.gather(
        ask(
            request,
            "headlines",
            _headlines(site),
            away="The news is unavailable at the moment. Reload the page in a minute.",
        ),
        ask(
            request,
            "mood",
            recent_mood(site, days=_DAYS),
            away="Sentiment scores are unavailable at the moment. Reload the page in a minute.",
        ),
    )
    return await render(request, "landing.html", headlines=headlines, mood=trend)


async def recent_mood(site: Site, *, days: int, symbol: str | None = None) -> Mood | None:
    """Return the sentiment for the last `days` days, either for one symbol or for all news.

    Return None if no articles were scored during that time.
    """
    today = clock.now().date()
    by_day = await site.news.sentiment(symbol, today - timedelta(days=days - 1), today)
    return mood(by_day, until=today, days=days, of=symbol or "all news")


async def _headlines(site: Site) -> list[Listing]:
    headlines, _ = await site.news.page(NewsQuery(limit=_HEADLINES))
    return headlines
