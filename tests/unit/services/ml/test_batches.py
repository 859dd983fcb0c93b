"""Which documents are analysed, and what is written."""

from datetime import UTC, datetime
from typing import Any

from services.ml.batches import prepare
from services.ml.version import VERSION
from services.stores.article import Analysis, article_id, content_hash
from services.stores.couch import Change

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
NEWER = str(int(VERSION) + 1)
OLDER = str(int(VERSION) - 1)


def doc(**changes: Any) -> dict[str, Any]:
    url = "https://a.example/1"
    title, text = "Acme profit soars", "Profit rose."
    return {
        "_id": article_id(url),
        "_rev": "1-x",
        "type": "news",
        "url": url,
        "canonical_url": url,
        "title": title,
        "summary": "",
        "text": text,
        "source": "One",
        "feed_url": "https://a.example/feed",
        "authors": [],
        "published": "2026-11-24T03:00:00Z",
        "fetched": "2026-11-24T03:00:00Z",
        "fingerprint": "0" * 16,
        "duplicates": [],
        "content_hash": content_hash(title, text),
        "ml": None,
        **changes,
    }


def ml(version: str = VERSION, of: str | None = None) -> dict[str, Any]:
    return {
        "version": version,
        "of": of or doc()["content_hash"],
        "score": 0.0,
        "label": "neutral",
        "symbols": [],
        "topics": [],
        "at": "2026-11-24T03:00:00Z",
    }


def change(document: dict[str, Any] | None, *, is_deleted: bool = False) -> Change:
    return Change(1, "news-1" if document is None else document["_id"], is_deleted, document)


def test_an_article_without_an_analysis_gets_one_and_nothing_else_changes() -> None:
    before = doc(a_field_of_tomorrow={"x": 1})
    batch = prepare([change(before)], at=NOW)
    (after,) = batch.writes
    assert {name: after[name] for name in after if name != "ml"} == {
        name: before[name] for name in before if name != "ml"
    }
    assert after["ml"]["version"] == VERSION
    assert after["ml"]["of"] == before["content_hash"]
    assert after["ml"]["label"] == "positive"
    assert after["ml"]["at"] == "2026-11-24T03:00:00Z"


def test_a_current_analysis_is_not_repeated() -> None:
    batch = prepare([change(doc(ml=ml()))], at=NOW)
    assert (batch.writes, batch.done) == ([], 1)


def test_a_different_text_or_an_older_version_is_analysed_again() -> None:
    for stored in (ml(of="0" * 64), ml(OLDER), ml("?"), ml(NEWER, of="0" * 64)):
        assert len(prepare([change(doc(ml=stored))], at=NOW).writes) == 1


def test_a_newer_versions_analysis_is_left_alone() -> None:
    assert prepare([change(doc(ml=ml(NEWER)))], at=NOW).writes == []


def test_an_unreadable_analysis_is_repeated() -> None:
    assert len(prepare([change(doc(ml={"version": VERSION}))], at=NOW).writes) == 1


def test_deleted_and_other_documents_are_skipped() -> None:
    changes = [
        change(doc(), is_deleted=True),
        change(None),
        change({"_id": "feed-1", "type": "feed"}),
        change({"_id": "x"}),
    ]
    batch = prepare(changes, at=NOW)
    assert (batch.writes, batch.poison, batch.others) == ([], {}, 4)


def test_a_broken_document_is_named_and_the_others_are_analysed() -> None:
    poison = doc(_id="news-" + "f" * 32, title=None)
    batch = prepare([change(poison), change(doc())], at=NOW)
    assert list(batch.poison) == [poison["_id"]]
    assert "title" in batch.poison[poison["_id"]]
    assert len(batch.writes) == 1


def test_a_document_that_cannot_be_written_is_named_and_the_others_are_analysed() -> None:
    poison = doc(_id="news-" + "f" * 32, a_field_of_tomorrow="\ud800")
    batch = prepare([change(poison), change(doc())], at=NOW)
    assert list(batch.poison) == [poison["_id"]]
    assert [written["_id"] for written in batch.writes] == [doc()["_id"]]


def test_an_article_of_the_year_900_is_named_and_the_others_are_analysed() -> None:
    poison = doc(_id="news-" + "f" * 32, published="900-05-05T00:00:00Z")
    batch = prepare([change(poison), change(doc())], at=NOW)
    assert list(batch.poison) == [poison["_id"]]
    assert len(batch.writes) == 1


def test_a_rule_that_fails_on_one_article_stops_no_other() -> None:
    def breaks(**fields: Any) -> Analysis:
        raise ZeroDivisionError

    batch = prepare([change(doc())], at=NOW, analysing=breaks)
    assert list(batch.poison.values()) == ["the analysis raised ZeroDivisionError"]
