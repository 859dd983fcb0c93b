"""Writes new and changed articles to the news database, and records duplicates.

Rule: each process writes one article at a time. Otherwise, if two feeds published the same news at
the same time, both articles would be stored as new.
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
from services.newswatcher.reading import dates, fingerprint
from services.newswatcher.reading.entries import Entry
from services.stores.article import Article, article_id, content_hash
from services.stores.couch import ConflictError
from services.stores.news import News, UnreadableError

_ARTICLES: Final = Counter(
    "newswatcher_articles_total", "Articles, by the action taken", ["source", "verdict"]
)
_ATTEMPTS: Final = 10
_MOST_NEAR: Final = 20


def fetched_article(feed: Feed, entry: Entry, page: Page, *, at: datetime) -> FetchedArticle:
    """Build an article from a feed entry and the page that the entry links to."""
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
            published=dates.plausible(entry.published, at=at),
            fetched=at,
            fingerprint=fingerprint.fingerprint(entry.title, text),
            content_hash=content_hash(entry.title, text),
        ),
        is_whole=is_whole,
    )


class ArticleWriter:
    """Makes all of newswatcher's changes to the news database."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._lock = asyncio.Lock()

    async def is_known(self, feed: Feed, entry: Entry) -> bool:
        """Return whether this feed's article is already stored with the same title and summary."""
        stored = await self._stored(article_id(entry.link))
        return (
            stored is not None
            and stored.feed_url == feed.url
            and (stored.title, stored.summary) == (entry.title, entry.summary)
        )

    async def write(self, fetched: FetchedArticle) -> str:
        """Store the article, or record it as a duplicate of another article.

        Return the action taken: `added`, `changed`, `noted` (a duplicate) or `kept` (unchanged).
        Writing the same article again is safe.

        Raises:
            UnavailableError: if the database is unavailable. The article may or may not be stored.
            ConflictError: if other processes keep changing the stored article.
        """
        async with self._lock:
            for _ in range(_ATTEMPTS):
                rev = None
                try:
                    stored: Article | None = await self._news.article(fetched.article.id)
                except UnreadableError as exc:
                    # The article replaces the document that cannot be read.
                    stored, rev = None, exc.rev
                except GoneError:
                    stored = None
                near = [] if stored else await self._near(fetched.article)
                verdict = decide(fetched, stored, near)
                if isinstance(verdict, Keep):
                    break
                article = verdict.article
                if rev is not None and article.id == fetched.article.id:
                    article = article.model_copy(update={"rev": rev})
                try:
                    await self._news.save(article)
                except ConflictError:
                    # ml or another newswatcher has changed the document, so decide again.
                    continue
                except GoneError:
                    # The database was deleted between two calls.
                    await self._news.prepare()
                    continue
                break
            else:
                raise ConflictError(
                    f"writing {fetched.article.id}: other processes kept changing the document"
                )
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
