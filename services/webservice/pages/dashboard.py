"""The dashboard. Quotes, sentiment and news are each shown even if the others are unavailable."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web

from services.stores.news import Cursor, Label, Listing, NewsQuery
from services.webservice import filters as filtering
from services.webservice import watch_list
from services.webservice.filters import Filters
from services.webservice.pages.landing import recent_mood
from services.webservice.panels import Panel
from services.webservice.rendering.ticker import Ticker, ticker
from services.webservice.site import Site, ask, is_for_htmx, render, see, site_of, viewer_of
from services.webservice.visitor.forms import form_of

_PAGE: Final = 12
_TRENDING: Final = 8
_TOPICS: Final = 30
_NEWS_AWAY: Final = (
    "The news is unavailable at the moment. Nothing is lost. Reload the page in a minute."
)
_QUOTES_AWAY: Final = "Quotes are unavailable at the moment. They will reappear automatically."
_MOOD_AWAY: Final = "Sentiment scores are unavailable at the moment. Reload the page in a minute."


@dataclass(frozen=True, slots=True)
class Page:
    """One page of news, and the address of the next page."""

    articles: Sequence[Listing]
    more: str | None


@dataclass(frozen=True, slots=True)
class Rank:
    """How often a symbol appears in the news, as a count and as a percentage of the top count."""

    name: str
    count: int
    share: int


@dataclass(frozen=True, slots=True)
class Trending:
    """The most frequent symbols and topics in the news."""

    symbols: Sequence[Rank]
    topics: Sequence[str]


async def get(request: web.Request) -> web.Response:
    """Show the dashboard, or only the next page of news if htmx requests it."""
    await viewer_of(request)
    site = site_of(request)
    filters = filtering.read(request.query)
    if is_for_htmx(request) and filters.cursor:
        news = await ask(request, "news", _news(site, filters), away=_NEWS_AWAY)
        if news.problem:
            raise web.HTTPServiceUnavailable
        return await render(request, "parts/more.html", news=news, filters=filters)
    watched = _watched(request)
    quotes, mood, news, trending = await asyncio.gather(
        _quotes(request, watched),
        ask(
            request,
            "mood",
            recent_mood(site, days=filters.days, symbol=filters.symbol),
            away=_MOOD_AWAY,
        ),
        ask(request, "news", _news(site, filters), away=_NEWS_AWAY),
        ask(request, "trending", _trending(site), away=_NEWS_AWAY),
    )
    topics = sorted(
        {*(trending.value.topics if trending.value else ()), *filter(None, [filters.topic])}
    )
    return await render(
        request,
        "dashboard.html",
        quotes=quotes,
        mood=mood,
        news=news,
        trending=trending,
        topics=topics,
        filters=filters,
        watched=watched,
        day_choices=filtering.DAYS,
    )


async def get_quotes(request: web.Request) -> web.Response:
    """Show only the quotes, which the dashboard reloads automatically."""
    await viewer_of(request)
    watched = _watched(request)
    quotes = await _quotes(request, watched)
    return await render(request, "parts/quotes.html", quotes=quotes)


async def post_watch(request: web.Request) -> web.Response:
    """Save the watch list in a cookie, ignoring words that are not symbols."""
    await viewer_of(request)
    form = await form_of(request)
    symbols, _ = watch_list.parse(form.get("symbols", "")[:400])
    response = see(request, "/dashboard", flash_code="watch-list")
    jar = site_of(request).jar
    if symbols:
        jar.put_watch(response, watch_list.dump(symbols))
    else:
        jar.drop(response, jar.watch)
    raise response


def _watched(request: web.Request) -> list[str]:
    site = site_of(request)
    chosen, _ = watch_list.parse(site.jar.value(request, site.jar.watch))
    return chosen or watch_list.parse(site.settings.watch_list)[0]


async def _quotes(request: web.Request, watched: Sequence[str]) -> Panel[Ticker]:
    async def look_up() -> Ticker:
        return ticker(await site_of(request).quotes.look_up(watched))

    return await ask(request, "quotes", look_up(), away=_QUOTES_AWAY)


async def _news(site: Site, filters: Filters) -> Page:
    query = NewsQuery(
        symbol=filters.symbol,
        topic=filters.topic,
        label=cast("Label | None", filters.label),
        limit=_PAGE,
        cursor=_cursor(filters.cursor),
    )
    articles, after = await site.news.page(query)
    return Page(articles, filters.after(after.encode() if after else None))


async def _trending(site: Site) -> Trending:
    symbols, topics = await asyncio.gather(site.news.symbols(_TRENDING), site.news.topics(_TOPICS))
    most = max(symbols.values(), default=1)
    ranks = [Rank(name, count, round(100 * count / most)) for name, count in symbols.items()]
    return Trending(ranks, list(topics))


def _cursor(text: str | None) -> Cursor | None:
    """Decode a cursor. If the text is invalid, return None, so that the latest news is shown."""
    try:
        return Cursor.decode(text) if text else None
    except ValueError:
        return None
