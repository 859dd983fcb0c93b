"""Articles into the database: read what is there, judge, write, and again if somebody wrote first.

Rule: one at a time within this process: two feeds that bring the same news at the same moment
would otherwise both find that nobody has told it.
"""

import asyncio
from datetime import datetime
from typing import Final

from prometheus_client import Counter

from runtime.errors import GoneError
from services.newswatcher.feeds import Feed
from services.newswatcher.fetching.pages import Page
from services.newswatcher.judging import Add, Change, Found, Keep, Note, judge
from services.newswatcher.reading import fingerprint
from services.newswatcher.reading.entries import Entry
from services.stores.article import Article, article_id, content_hash
from services.stores.couch import ConflictError
from services.stores.news import News

_ARTICLES: Final = Counter(
    "newswatcher_articles_total", "Articles found, by what was done", ["source", "verdict"]
)
_TRIES: Final = 10
_MOST_NEAR: Final = 20


def found(feed: Feed, entry: Entry, page: Page, *, at: datetime) -> Found:
    """The article of an entry and its page."""
    is_whole = len(page.text) > len(entry.content) or len(page.text) >= 1_000
    text = page.text if is_whole else entry.content
    return Found(
        Article(
            id=article_id(page.canonical_url),
            url=entry.link,
            canonical_url=page.canonical_url,
            title=entry.title,
            summary=entry.summary,
            text=text,
            source=feed.name,
            feed_url=feed.url,
            authors=entry.authors,
            # A date to come would stay the newest for as long as it is off.
            published=min(entry.published or at, at),
            fetched=at,
            fingerprint=fingerprint.fingerprint(entry.title, text),
            content_hash=content_hash(entry.title, text),
        ),
        is_whole=is_whole,
    )


class Filing:
    """The one way into the news database."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._one_at_a_time = asyncio.Lock()

    async def is_known(self, feed: Feed, entry: Entry) -> bool:
        """Whether the entry's article is there as the entry has it, by its link alone."""
        there = await self._there(article_id(entry.link))
        return (
            there is not None
            and there.feed_url == feed.url
            and (there.title, there.summary) == (entry.title, entry.summary)
        )

    async def file(self, one: Found) -> str:
        """Write the article, or what it says about another one; safe to repeat.

        Raises:
            UnavailableError: nothing is known to be written.
        """
        async with self._one_at_a_time:
            for _ in range(_TRIES):
                there = await self._there(one.article.id)
                near = [] if there else await self._near(one.article)
                verdict = judge(one, there, near)
                if isinstance(verdict, Keep):
                    break
                try:
                    await self._news.save(verdict.article)
                except ConflictError:
                    # ml or another newswatcher wrote it since: what is there is another thing.
                    continue
                except GoneError:
                    # The database was lost between two calls.
                    await self._news.prepare()
                    continue
                break
            else:
                raise ConflictError(f"writing {one.article.id}: written by others meanwhile")
        told = _NAMES[type(verdict)]
        _ARTICLES.labels(one.article.source, told).inc()
        return told

    async def _there(self, article: str) -> Article | None:
        try:
            return await self._news.article(article)
        except GoneError:
            return None

    async def _near(self, new: Article) -> list[Article]:
        near = await self._news.near(new.fingerprint)
        close = sorted(
            (fingerprint.distance(mark, new.fingerprint), article)
            for article, mark in near.items()
            if article != new.id
        )
        ids = [article for bits, article in close if bits <= fingerprint.NEAR_BITS]
        told = [await self._there(article) for article in ids[:_MOST_NEAR]]
        return [one for one in told if one is not None]


_NAMES: Final = {Add: "added", Change: "changed", Note: "noted", Keep: "kept"}
