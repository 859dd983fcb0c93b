"""Decides whether an article is new, a new version of a stored article, or a duplicate.

This module does no I/O.

Rule: the first article is kept, and later articles with the same words are recorded as its
duplicates. A new version keeps the analysis, the duplicates and the original publication time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.newswatcher.reading.fingerprint import NEAR_BITS, distance
from services.stores.article import Article, Duplicate, content_hash

MOST_DUPLICATES: Final = 50
NEAR_DAYS: Final = 5
"""Articles published further apart than this are never treated as duplicates, because routine texts
such as daily market reports are often similar."""


@dataclass(frozen=True, slots=True)
class FetchedArticle:
    """A newly fetched article."""

    article: Article
    is_whole: bool
    """Whether the text is complete, and not just the feed's summary."""


@dataclass(frozen=True, slots=True)
class Add:
    """The article is new and must be stored."""

    article: Article


@dataclass(frozen=True, slots=True)
class Change:
    """The article has changed, and the stored version must be overwritten."""

    article: Article


@dataclass(frozen=True, slots=True)
class NoteDuplicate:
    """The article is a duplicate and must be recorded in the original article."""

    article: Article


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing has changed, so there is nothing to store."""


Verdict = Add | Change | NoteDuplicate | Keep


def decide(fetched: FetchedArticle, stored: Article | None, near: Iterable[Article]) -> Verdict:
    """Decide what to do with a newly fetched article.

    `stored` is the stored article with the same id, if any. `near` contains other articles that
    may have the same words. The function compares their fingerprints, but not their texts.
    """
    new = fetched.article
    if stored is not None:
        return _about_known(fetched, stored)
    first = min(
        (article for article in near if _is_same_news(article, new)),
        key=lambda article: (
            distance(article.fingerprint, new.fingerprint),
            article.published,
            article.id,
        ),
        default=None,
    )
    return Add(new) if first is None else _same_words(first, new)


def _is_same_news(article: Article, other: Article) -> bool:
    return (
        article.id != other.id
        and distance(article.fingerprint, other.fingerprint) <= NEAR_BITS
        and abs(article.published - other.published) <= timedelta(days=NEAR_DAYS)
    )


def _same_words(first: Article, new: Article) -> Verdict:
    urls = {first.url, first.canonical_url, *(copy.url for copy in first.duplicates)}
    return Keep() if new.url in urls else _with_duplicate(first, new)


def _about_known(fetched: FetchedArticle, stored: Article) -> Verdict:
    new = fetched.article
    if new.feed_url != stored.feed_url:
        # Two feeds link to the same article, and only the first feed may change it.
        return Keep() if new.source == stored.source else _same_page(stored, new)
    text, fingerprint = new.text, new.fingerprint
    if not fetched.is_whole and _is_whole(stored):
        # The page could not be read this time, so keep the stored text.
        text, fingerprint = stored.text, stored.fingerprint
    changed = stored.model_copy(
        update={
            **new.entry_fields(),
            "text": text,
            "authors": new.authors or stored.authors,
            "fingerprint": fingerprint,
            "content_hash": content_hash(new.title, text),
        }
    )
    if changed == stored:
        return Keep()
    return Change(changed.model_copy(update={"fetched": new.fetched}))


def _same_page(stored: Article, new: Article) -> Verdict:
    sources = {copy.source for copy in stored.duplicates}
    return Keep() if new.source in sources else _with_duplicate(stored, new)


def _with_duplicate(first: Article, new: Article) -> Verdict:
    if len(first.duplicates) >= MOST_DUPLICATES:
        return Keep()
    duplicate = Duplicate(url=new.url, source=new.source, seen=new.fetched)
    return NoteDuplicate(first.model_copy(update={"duplicates": (*first.duplicates, duplicate)}))


def _is_whole(article: Article) -> bool:
    return len(article.text) > 2 * len(article.summary)
