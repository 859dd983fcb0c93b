"""Writes articles to the database: reads what is stored, decides, writes, and retries on conflict.

Rule: one article at a time in this process. Otherwise two feeds with the same news at the same
moment would both find it new.
"""

import asyncio
from datetime import datetime
from typing import Final

from prometheus_client import Counter

from runtime.errors import GoneError
from services.newswatcher.deduplication import (
    Add,
    Change,
    FetchedArticle,
    Keep,
    NoteDuplicate,
    decide,
)
from services.newswatcher.feeds import Feed
from services.newswatcher.fetching.pages import Page
from services.newswatcher.reading import fingerprint
from services.newswatcher.reading.entries import Entry
from services.stores.article import Article, article_id, content_hash
from services.stores.couch import ConflictError
from services.stores.news import News

_ARTICLES: Final = Counter(
    "newswatcher_articles_total", "Articles, by what was done with them", ["source", "verdict"]
)
_ATTEMPTS: Final = 10
_MOST_NEAR: Final = 20


def fetched_article(feed: Feed, entry: Entry, page: Page, *, at: datetime) -> FetchedArticle:
    """The article of an entry and its page."""
    is_whole = len(page.text) > len(entry.content) or len(page.text) >= 1_000
    text = page.text if is_whole else entry.content
    return FetchedArticle(
        Article(
            id=article_id(page.canonical_url),
            url=entry.link,
            canonical_url=page.canonical_url,
            **entry.entry_fields(),
            text=text,
            source=feed.name,
            feed_url=feed.url,
            # An article dated in the future would stay the newest until then.
            published=min(entry.published or at, at),
            fetched=at,
            fingerprint=fingerprint.fingerprint(entry.title, text),
            content_hash=content_hash(entry.title, text),
        ),
        is_whole=is_whole,
    )


class ArticleWriter:
    """Everything that newswatcher writes to the news database goes through here."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._lock = asyncio.Lock()

    async def is_known(self, feed: Feed, entry: Entry) -> bool:
        """Whether the entry's article is stored unchanged, by its link, title and summary."""
        stored = await self._stored(article_id(entry.link))
        return (
            stored is not None
            and stored.feed_url == feed.url
            and (stored.title, stored.summary) == (entry.title, entry.summary)
        )

    async def write(self, fetched: FetchedArticle) -> str:
        """Store the article, or note it as a duplicate of another; safe to repeat.

        Raises:
            UnavailableError: the database does not answer; nothing may have been stored.
        """
        async with self._lock:
            for _ in range(_ATTEMPTS):
                stored = await self._stored(fetched.article.id)
                near = [] if stored else await self._near(fetched.article)
                verdict = decide(fetched, stored, near)
                if isinstance(verdict, Keep):
                    break
                try:
                    await self._news.save(verdict.article)
                except ConflictError:
                    # ml or another newswatcher has written it since: decide again.
                    continue
                except GoneError:
                    # The database was deleted between two calls.
                    await self._news.prepare()
                    continue
                break
            else:
                raise ConflictError(f"writing {fetched.article.id}: others kept writing it")
        name = _NAMES[type(verdict)]
        _ARTICLES.labels(fetched.article.source, name).inc()
        return name

    async def _stored(self, article: str) -> Article | None:
        try:
            return await self._news.article(article)
        except GoneError:
            return None

    async def _near(self, new: Article) -> list[Article]:
        near = await self._news.near(new.fingerprint)
        by_distance = sorted(
            (fingerprint.distance(other, new.fingerprint), near_id)
            for near_id, other in near.items()
            if near_id != new.id
        )
        ids = [near_id for bits, near_id in by_distance if bits <= fingerprint.NEAR_BITS]
        articles = [await self._stored(near_id) for near_id in ids[:_MOST_NEAR]]
        return [article for article in articles if article is not None]


_NAMES: Final = {Add: "added", Change: "changed", NoteDuplicate: "noted", Keep: "kept"}
