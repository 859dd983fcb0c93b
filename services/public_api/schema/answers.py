"""The API response models. Callers rely on every field, so never remove a field."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.stores.article import Article, Label, Listing, Moment
from services.stores.news import DaySentiment
from services.stores.usage import UsageHour


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class Sentiment(_Shape):
    """An article's sentiment, computed from its words."""

    score: float = Field(ge=-1, le=1, description="-1 means bad news, 1 means good news")
    label: Label


class NewsItem(_Shape):
    """An article in a list, without its text."""

    id: str
    title: str
    summary: str
    url: str
    source: str = Field(description="Name of the feed that contained the article")
    authors: tuple[str, ...]
    published: Moment
    sentiment: Sentiment | None = Field(description="null until the article has been scored")
    symbols: tuple[str, ...]
    topics: tuple[str, ...]


class NewsArticle(NewsItem):
    """An article with its text."""

    text: str


class NewsPage(_Shape):
    """A page of articles, newest first."""

    items: Sequence[NewsItem]
    next: str | None = Field(
        description="The `cursor` of the next page; null on the last page. A page may contain fewer"
        " articles than the limit, or no articles, even if there is a next page."
    )


class SentimentAnswer(_Shape):
    """Sentiment by day. Days without articles are omitted."""

    symbol: str | None
    since: date
    until: date
    days: Sequence[DaySentiment]


class UsageAnswer(_Shape):
    """Calls by hour. Hours without calls are omitted."""

    account: str
    since: Moment
    until: Moment
    calls: int
    errors: int
    hours: Sequence[UsageHour]


class WrongParameter(_Shape):
    """An invalid parameter, and why it is invalid."""

    parameter: str
    detail: str


class ProblemAnswer(_Shape):
    """An error response (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: Sequence[WrongParameter] | None = None


def item_of(article: Listing) -> NewsItem:
    """Convert a stored article to a list item without validating its fields again."""
    return NewsItem.model_construct(**_fields(article))


def article_of(article: Article) -> NewsArticle:
    """Convert a stored article to a response without validating its fields again."""
    return NewsArticle.model_construct(**_fields(article), text=article.text)


def _fields(article: Listing) -> dict[str, Any]:
    ml = article.ml
    return {
        "id": article.id,
        "title": article.title,
        "summary": article.summary,
        "url": article.url,
        "source": article.source,
        "authors": article.authors,
        "published": article.published,
        "sentiment": Sentiment.model_construct(score=ml.score, label=ml.label) if ml else None,
        "symbols": ml.symbols if ml else (),
        "topics": ml.topics if ml else (),
    }
