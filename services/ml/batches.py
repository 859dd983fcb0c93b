"""One batch of changes: which articles want an analysis, and what to write. Pure.

Rule: what is written is the document as it was read, with `ml` alone replaced, fields that we do
not know included. A document that is no article of ours is skipped, never repaired.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from services.ml import version
from services.ml.analysis import analyse
from services.stores.article import Analysis, Article
from services.stores.couch import Change, Document

Analyse = Callable[..., Analysis]


@dataclass(slots=True)
class Batch:
    """What came of the changes."""

    writes: list[Document] = field(default_factory=list)
    done: int = 0
    """Analysed before."""
    poison: dict[str, str] = field(default_factory=dict)
    """Why, by id: what cannot be analysed."""
    others: int = 0
    """Deleted, or no articles."""


def wants(article: Article) -> bool:
    """Whether an article has no analysis of its own words by us or by somebody newer."""
    return not article.is_analysed or (
        article.ml is not None and version.is_older(article.ml.version)
    )


def prepare(changes: Iterable[Change], *, at: datetime, analysing: Analyse = analyse) -> Batch:
    """Analyse what wants it; never raises for what a document contains."""
    batch = Batch()
    for change in changes:
        if change.is_deleted or change.doc is None or change.doc.get("type") != "news":
            batch.others += 1
            continue
        try:
            found = _analysis(change.doc, at, analysing)
        except ValidationError as exc:
            batch.poison[change.id] = _where(exc)
        except Exception as exc:  # noqa: BLE001  a bug in a rule stops one article and not all
            batch.poison[change.id] = f"analysing it raised {type(exc).__name__}"
        else:
            if found is None:
                batch.done += 1
            else:
                ml = found.model_dump(mode="json")
                batch.writes.append({**change.doc, "ml": ml})
    return batch


def _analysis(doc: Mapping[str, Any], at: datetime, analysing: Analyse) -> Analysis | None:
    # An analysis that cannot be read, of a version to come say, must not hide the article.
    try:
        article = Article.from_doc(doc)
    except ValidationError:
        article = Article.from_doc({**doc, "ml": None})
    if not wants(article):
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
