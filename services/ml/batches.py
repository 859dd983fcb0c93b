"""Analyses the articles in one batch of changes and prepares the documents to write.

This module does no I/O.

Rule: only a document's `ml` field is replaced. All other fields, including unknown fields, stay
unchanged. Documents that are not articles are skipped.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.ml import version
from services.ml.analysis import analyse
from services.stores.article import Analysis, Article
from services.stores.couch import Change, Document, encodable

Analyse = Callable[..., Analysis]


@dataclass(slots=True)
class Batch:
    """The result of processing one batch of changes."""

    writes: list[Document] = field(default_factory=list)
    done: int = 0
    """The number of articles whose analysis was already current."""
    poison: dict[str, str] = field(default_factory=dict)
    """The documents that could not be analysed, with the reason for each document id."""
    others: int = 0
    """The number of deleted documents and of documents that are not articles."""


def needs_analysis(article: Article) -> bool:
    """Return whether the article's analysis is missing, outdated or based on a different text."""
    return not article.is_analysed or (
        article.ml is not None and version.is_older(article.ml.version)
    )


def prepare(changes: Iterable[Change], *, at: datetime, analysing: Analyse = analyse) -> Batch:
    """Analyse all articles that have no current analysis. List invalid documents in `poison`."""
    batch = Batch()
    for change in changes:
        if change.is_deleted or change.doc is None or change.doc.get("type") != "news":
            batch.others += 1
            continue
        try:
            analysis = _analysis(change.doc, at, analysing)
        except ValidationError as exc:
            batch.poison[change.id] = _where(exc)
        except Exception as exc:  # noqa: BLE001  a bug must not block other articles
            batch.poison[change.id] = f"the analysis raised {type(exc).__name__}"
        else:
            if analysis is None:
                batch.done += 1
            else:
                written = {**change.doc, "ml": analysis.model_dump(mode="json")}
                if encodable(written):
                    batch.writes.append(written)
                else:
                    # CouchDB would reject the whole batch.
                    batch.poison[change.id] = "the document cannot be written as JSON"
    return batch


def _analysis(doc: Mapping[str, Any], at: datetime, analysing: Analyse) -> Analysis | None:
    # Replace an analysis that cannot be parsed, for example from a future version.
    try:
        article = Article.from_doc(doc)
    except ValidationError:
        article = Article.from_doc({**doc, "ml": None})
    if not needs_analysis(article):
        return None
    return analysing(
        title=article.title,
        summary=article.summary,
        text=article.text,
        of=article.content_hash,
        at=at,
    )


def _where(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
