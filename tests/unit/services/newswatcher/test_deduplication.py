"""Whether an article is new, a new version or a duplicate."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.newswatcher.deduplication import (
    MOST_DUPLICATES,
    Add,
    Change,
    FetchedArticle,
    Keep,
    NoteDuplicate,
    decide,
)
from services.stores.article import Analysis, Article, Duplicate, article_id, content_hash

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LONG = "A whole text of the article. " * 20


def article(number: int = 1, **changes: Any) -> Article:
    url = f"https://a.example/{number}"
    fields = {
        "id": article_id(url),
        "url": url,
        "canonical_url": url,
        "title": "Title",
        "summary": "Summary",
        "text": LONG,
        "source": "One",
        "feed_url": "https://a.example/feed",
        "published": NOW,
        "fetched": NOW,
        "fingerprint": f"{number:016x}",
        **changes,
    }
    return Article.model_validate(
        {**fields, "content_hash": content_hash(fields["title"], fields["text"])}
    )


def fetched(article: Article, *, is_whole: bool = True) -> FetchedArticle:
    return FetchedArticle(article, is_whole=is_whole)


def test_a_new_article_is_added() -> None:
    far = article(2, fingerprint="ffff000000000000")
    assert decide(fetched(article()), None, [far]) == Add(article())


def test_an_unchanged_article_is_kept() -> None:
    later = article(fetched=NOW + timedelta(hours=1), published=NOW + timedelta(hours=1))
    assert decide(fetched(later), article(), []) == Keep()


def test_a_new_version_keeps_the_analysis_the_duplicates_and_its_first_time() -> None:
    ml = Analysis(version="1", of="x", score=0, label="neutral", at=NOW)
    noted = Duplicate(url="https://b.example/", source="Two", seen=NOW)
    stored = article(ml=ml, duplicates=(noted,), rev="3-x")
    later = NOW + timedelta(hours=1)
    new = article(title="Corrected", fetched=later, published=later)
    verdict = decide(fetched(new), stored, [])
    assert isinstance(verdict, Change)
    kept = verdict.article
    assert (kept.title, kept.fetched, kept.content_hash) == ("Corrected", later, new.content_hash)
    assert (kept.ml, kept.duplicates, kept.rev, kept.published) == (ml, (noted,), "3-x", NOW)


def test_a_summary_does_not_replace_a_whole_text() -> None:
    new = article(title="Corrected", text="Summary", fingerprint="0" * 16)
    verdict = decide(fetched(new, is_whole=False), article(), [])
    assert isinstance(verdict, Change)
    assert (verdict.article.text, verdict.article.fingerprint) == (LONG, article().fingerprint)
    assert verdict.article.content_hash == content_hash("Corrected", LONG)


def test_a_whole_text_replaces_a_summary() -> None:
    stored = article(text="Summary")
    verdict = decide(fetched(article()), stored, [])
    assert isinstance(verdict, Change)
    assert verdict.article.text == LONG


def test_the_same_words_elsewhere_are_noted_once_with_the_first_article() -> None:
    first, new = article(1), article(3, source="Two")
    verdict = decide(fetched(new), None, [first])
    assert isinstance(verdict, NoteDuplicate)
    assert verdict.article.id == first.id
    assert [(copy.url, copy.source) for copy in verdict.article.duplicates] == [(new.url, "Two")]
    assert decide(fetched(new), None, [verdict.article]) == Keep()


def test_articles_four_bits_or_a_week_apart_are_different_news() -> None:
    first = article(1)
    far = article(2, fingerprint=f"{1 ^ 0xF:016x}")
    late = article(3, published=NOW + timedelta(days=7), fingerprint=first.fingerprint)
    for new in (far, late):
        assert isinstance(decide(fetched(new), None, [first]), Add)


def test_the_nearest_article_comes_first_and_then_the_oldest() -> None:
    new = article(8, fingerprint=f"{0b111:016x}")
    near = article(1, fingerprint=f"{0b110:016x}", published=NOW)
    older = article(2, fingerprint=f"{0b101:016x}", published=NOW - timedelta(hours=1))
    farther = article(3, fingerprint=f"{0b001:016x}", published=NOW - timedelta(hours=9))
    verdict = decide(fetched(new), None, [near, older, farther])
    assert isinstance(verdict, NoteDuplicate)
    assert verdict.article.id == older.id


def test_another_feed_with_the_same_page_is_noted_and_does_not_change_the_article() -> None:
    new = article(title="Their headline", source="Two", feed_url="https://b.example/feed")
    verdict = decide(fetched(new), article(), [])
    assert isinstance(verdict, NoteDuplicate)
    assert verdict.article.title == "Title"
    assert decide(fetched(new), verdict.article, []) == Keep()


def test_the_number_of_duplicates_is_limited() -> None:
    noted = tuple(
        Duplicate(url=f"https://b.example/{number}", source=str(number), seen=NOW)
        for number in range(MOST_DUPLICATES)
    )
    full = article(1, duplicates=noted)
    assert decide(fetched(article(3)), None, [full]) == Keep()
