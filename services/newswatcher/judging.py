"""What to do about an article that was found: is it new, another version, or told already? Pure.

Rule: whoever was first stays the article, and later ones of the same words are noted with it. An
update keeps what ml found, what was noted, and the time it was first published.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.newswatcher.reading.fingerprint import NEAR_BITS, distance
from services.stores.article import Article, Duplicate, content_hash

MOST_DUPLICATES: Final = 50
NEAR_DAYS: Final = 5
"""News of the same words further apart is a form letter: each day's market report, say."""


@dataclass(frozen=True, slots=True)
class Found:
    """An article as it was found."""

    article: Article
    is_whole: bool
    """Its text is the page's own, and not the feed's summary."""


@dataclass(frozen=True, slots=True)
class Add:
    """It is new."""

    article: Article


@dataclass(frozen=True, slots=True)
class Change:
    """The article is there and is written with what is new: another version of it."""

    article: Article


@dataclass(frozen=True, slots=True)
class Note:
    """It was told before: the first one, with this one noted."""

    article: Article


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is new."""


Verdict = Add | Change | Note | Keep


def judge(found: Found, there: Article | None, near: Iterable[Article]) -> Verdict:
    """Decide about one article.

    `there` is what the database has under its id, `near` what may say the same; only the latter's
    fingerprints, times and notes are looked at.
    """
    new = found.article
    if there is not None:
        return _again(found, there)
    first = min(
        (one for one in near if _is_same_news(one, new)),
        key=lambda one: (distance(one.fingerprint, new.fingerprint), one.published, one.id),
        default=None,
    )
    return Add(new) if first is None else _noted(first, new)


def _is_same_news(one: Article, other: Article) -> bool:
    return (
        one.id != other.id
        and distance(one.fingerprint, other.fingerprint) <= NEAR_BITS
        and abs(one.published - other.published) <= timedelta(days=NEAR_DAYS)
    )


def _noted(first: Article, new: Article) -> Verdict:
    told = {first.url, first.canonical_url, *(one.url for one in first.duplicates)}
    if new.url in told or len(first.duplicates) >= MOST_DUPLICATES:
        return Keep()
    one = Duplicate(url=new.url, source=new.source, seen=new.fetched)
    return Note(first.model_copy(update={"duplicates": (*first.duplicates, one)}))


def _again(found: Found, there: Article) -> Verdict:
    new = found.article
    if new.feed_url != there.feed_url:
        # Two feeds lead to one article: the second has nothing to say about its words.
        return Keep() if new.source == there.source else _same_page(there, new)
    text, fingerprint = new.text, new.fingerprint
    if not found.is_whole and _is_whole(there):
        # The page could not be read this time, and what was read before is better.
        text, fingerprint = there.text, there.fingerprint
    changed = there.model_copy(
        update={
            "title": new.title,
            "summary": new.summary,
            "text": text,
            "authors": new.authors or there.authors,
            "fingerprint": fingerprint,
            "content_hash": content_hash(new.title, text),
        }
    )
    if changed == there:
        return Keep()
    return Change(changed.model_copy(update={"fetched": new.fetched}))


def _same_page(there: Article, new: Article) -> Verdict:
    if any(one.source == new.source for one in there.duplicates):
        return Keep()
    if len(there.duplicates) >= MOST_DUPLICATES:
        return Keep()
    one = Duplicate(url=new.url, source=new.source, seen=new.fetched)
    return Note(there.model_copy(update={"duplicates": (*there.duplicates, one)}))


def _is_whole(article: Article) -> bool:
    return len(article.text) > 2 * len(article.summary)
