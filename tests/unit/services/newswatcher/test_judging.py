"""New, another version, or told already."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.newswatcher.judging import MOST_DUPLICATES, Add, Change, Found, Keep, Note, judge
from services.stores.article import Analysis, Article, Duplicate, article_id, content_hash

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LONG = "A whole text of the article. " * 20


def article(number: int = 1, **changes: Any) -> Article:
    url = f"https://a.example/{number}"
    told = {
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
        {**told, "content_hash": content_hash(told["title"], told["text"])}
    )


def found(one: Article, *, is_whole: bool = True) -> Found:
    return Found(one, is_whole=is_whole)


def test_what_nobody_told_is_added() -> None:
    far = article(2, fingerprint="ffff000000000000")
    assert judge(found(article()), None, [far]) == Add(article())


def test_the_same_again_is_kept() -> None:
    later = article(fetched=NOW + timedelta(hours=1), published=NOW + timedelta(hours=1))
    assert judge(found(later), article(), []) == Keep()


def test_another_version_keeps_what_others_wrote_and_its_first_time() -> None:
    ml = Analysis(version="1", of="x", score=0, label="neutral", at=NOW)
    noted = Duplicate(url="https://b.example/", source="Two", seen=NOW)
    there = article(ml=ml, duplicates=(noted,), rev="3-x")
    later = NOW + timedelta(hours=1)
    new = article(title="Corrected", fetched=later, published=later)
    verdict = judge(found(new), there, [])
    assert isinstance(verdict, Change)
    kept = verdict.article
    assert (kept.title, kept.fetched, kept.content_hash) == ("Corrected", later, new.content_hash)
    assert (kept.ml, kept.duplicates, kept.rev, kept.published) == (ml, (noted,), "3-x", NOW)


def test_a_summary_does_not_replace_the_text() -> None:
    new = article(title="Corrected", text="Summary", fingerprint="0" * 16)
    verdict = judge(found(new, is_whole=False), article(), [])
    assert isinstance(verdict, Change)
    assert (verdict.article.text, verdict.article.fingerprint) == (LONG, article().fingerprint)
    assert verdict.article.content_hash == content_hash("Corrected", LONG)


def test_a_text_replaces_the_summary() -> None:
    there = article(text="Summary")
    verdict = judge(found(article()), there, [])
    assert isinstance(verdict, Change)
    assert verdict.article.text == LONG


def test_the_same_words_elsewhere_are_noted_with_the_first_and_once() -> None:
    first, new = article(1), article(3, source="Two")
    verdict = judge(found(new), None, [first])
    assert isinstance(verdict, Note)
    assert verdict.article.id == first.id
    assert [(one.url, one.source) for one in verdict.article.duplicates] == [(new.url, "Two")]
    assert judge(found(new), None, [verdict.article]) == Keep()


def test_four_bits_or_a_week_apart_is_other_news() -> None:
    first = article(1)
    far = article(2, fingerprint=f"{1 ^ 0xF:016x}")
    late = article(3, published=NOW + timedelta(days=7), fingerprint=first.fingerprint)
    for new in (far, late):
        assert isinstance(judge(found(new), None, [first]), Add)


def test_the_nearest_is_the_first_and_then_the_oldest() -> None:
    new = article(8, fingerprint=f"{0b111:016x}")
    near = article(1, fingerprint=f"{0b110:016x}", published=NOW)
    older = article(2, fingerprint=f"{0b101:016x}", published=NOW - timedelta(hours=1))
    farther = article(3, fingerprint=f"{0b001:016x}", published=NOW - timedelta(hours=9))
    verdict = judge(found(new), None, [near, older, farther])
    assert isinstance(verdict, Note)
    assert verdict.article.id == older.id


def test_another_feed_with_the_same_page_is_noted_and_changes_nothing() -> None:
    new = article(title="Their headline", source="Two", feed_url="https://b.example/feed")
    verdict = judge(found(new), article(), [])
    assert isinstance(verdict, Note)
    assert verdict.article.title == "Title"
    assert judge(found(new), verdict.article, []) == Keep()


def test_notes_have_an_end() -> None:
    noted = tuple(
        Duplicate(url=f"https://b.example/{number}", source=str(number), seen=NOW)
        for number in range(MOST_DUPLICATES)
    )
    full = article(1, duplicates=noted)
    assert judge(found(article(3)), None, [full]) == Keep()
