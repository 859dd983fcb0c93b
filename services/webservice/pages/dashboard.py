"""The dashboard: quotes, sentiment and news, each of which may be away without the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web

from services.stores.news import Cursor, Label, Listing, NewsQuery
from services.webservice import filters as filtering
from services.webservice import watch_list
from services.webservice.filters import Filters
from services.webservice.pages.landing import of_all
from services.webservice.panels import Panel
from services.webservice.rendering.ticker import Ticker, ticker
from services.webservice.site import Site, ask, is_for_htmx, render, see, site_of, viewer_of

_PAGE: Final = 12
_TALKED: Final = 8
_TOPICS: Final = 30
_NEWS_AWAY: Final = (
    "The news store does not answer at present. Nothing is lost: reload in a minute."
)
_QUOTES_AWAY: Final = (
    "Quotes are away: the service of prices does not answer. They come back alone."
)
_MOOD_AWAY: Final = "The scores do not answer at present. Reload in a minute."


@dataclass(frozen=True, slots=True)
class Page:
    """Some news, and the address of those after them."""

    articles: Sequence[Listing]
    more: str | None


@dataclass(frozen=True, slots=True)
class Rank:
    """How often something is in the news, beside what is there most."""

    name: str
    count: int
    share: int


@dataclass(frozen=True, slots=True)
class Talk:
    """What the news are about."""

    symbols: Sequence[Rank]
    topics: Sequence[str]


async def get(request: web.Request) -> web.Response:
    """The page; for htmx, which asks for more news, only those."""
    await viewer_of(request)
    site = site_of(request)
    wanted = filtering.read(request.query)
    if is_for_htmx(request) and wanted.cursor:
        news = await ask(request, "news", _news(site, wanted), away=_NEWS_AWAY)
        if news.problem:
            raise web.HTTPServiceUnavailable
        return await render(request, "parts/more.html", news=news, filters=wanted)
    watched = _watched(request)
    quotes, mood, news, talk = await asyncio.gather(
        _quotes(request, watched),
        ask(
            request,
            "mood",
            of_all(site, days=wanted.days, symbol=wanted.symbol),
            away=_MOOD_AWAY,
        ),
        ask(request, "news", _news(site, wanted), away=_NEWS_AWAY),
        ask(request, "talk", _talk(site), away=_NEWS_AWAY),
    )
    topics = sorted({*(talk.value.topics if talk.value else ()), *filter(None, [wanted.topic])})
    return await render(
        request,
        "dashboard.html",
        quotes=quotes,
        mood=mood,
        news=news,
        talk=talk,
        topics=topics,
        filters=wanted,
        watched=watched,
        day_choices=filtering.DAYS,
    )


async def get_quotes(request: web.Request) -> web.Response:
    """The ticker alone, which asks for itself again."""
    await viewer_of(request)
    watched = _watched(request)
    quotes = await _quotes(request, watched)
    return await render(request, "parts/quotes.html", quotes=quotes)


async def post_watch(request: web.Request) -> web.Response:
    """Keep a watch list in this browser; words that are no symbols are left out."""
    await viewer_of(request)
    form = await request.post()
    found, _ = watch_list.parse(str(form.get("symbols", ""))[:400])
    response = see(request, "/dashboard", flashed="watch-list")
    jar = site_of(request).jar
    if found:
        jar.put_watch(response, watch_list.dump(found))
    else:
        jar.drop(response, jar.watch)
    raise response


def _watched(request: web.Request) -> list[str]:
    site = site_of(request)
    chosen, _ = watch_list.parse(request.cookies.get(site.jar.watch, ""))
    return chosen or watch_list.parse(site.settings.watch_list)[0]


async def _quotes(request: web.Request, watched: Sequence[str]) -> Panel[Ticker]:
    async def asked() -> Ticker:
        return ticker(await site_of(request).quotes.look_up(watched))

    return await ask(request, "quotes", asked(), away=_QUOTES_AWAY)


async def _news(site: Site, wanted: Filters) -> Page:
    query = NewsQuery(
        symbol=wanted.symbol,
        topic=wanted.topic,
        label=cast("Label | None", wanted.label),
        limit=_PAGE,
        cursor=_cursor(wanted.cursor),
    )
    found, after = await site.news.page(query)
    return Page(found, wanted.after(after.encode() if after else None))


async def _talk(site: Site) -> Talk:
    symbols, topics = await asyncio.gather(site.news.symbols(_TALKED), site.news.topics(_TOPICS))
    most = max(symbols.values(), default=1)
    ranks = [Rank(name, count, round(100 * count / most)) for name, count in symbols.items()]
    return Talk(ranks, list(topics))


def _cursor(text: str | None) -> Cursor | None:
    """A place in the news; an address that somebody edited begins anew."""
    try:
        return Cursor.decode(text) if text else None
    except ValueError:
        return None
