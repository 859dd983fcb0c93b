"""The models of the API's answers. Callers rely on every field: add fields, never remove one."""

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

    score: float = Field(ge=-1, le=1, description="-1 is bad news, 1 is good news")
    label: Label


class NewsItem(_Shape):
    """An article in a list."""

    id: str
    title: str
    summary: str
    url: str
    source: str = Field(description="Name of the feed it came from")
    authors: tuple[str, ...]
    published: Moment
    sentiment: Sentiment | None = Field(description="null until the article has been scored")
    symbols: tuple[str, ...]
    topics: tuple[str, ...]


class NewsArticle(NewsItem):
    """An article with its text."""

    text: str


class NewsPage(_Shape):
    """Articles, newest first."""

    items: Sequence[NewsItem]
    next: str | None = Field(
        description="The `cursor` of the next page; null on the last one. A page may have fewer"
        " articles than the limit, or none, and still have a next page."
    )


class SentimentAnswer(_Shape):
    """Sentiment by day, without days that have no articles."""

    symbol: str | None
    since: date
    until: date
    days: Sequence[DaySentiment]


class UsageAnswer(_Shape):
    """Calls by hour, without hours that have no calls."""

    account: str
    since: Moment
    until: Moment
    calls: int
    errors: int
    hours: Sequence[UsageHour]


class WrongParameter(_Shape):
    """A wrong parameter and what is wrong with it."""

    parameter: str
    detail: str


class ProblemAnswer(_Shape):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: Sequence[WrongParameter] | None = None


def item_of(article: Listing) -> NewsItem:
    """An article for a list; the database has already validated its fields."""
    return NewsItem.model_construct(**_fields(article))


def article_of(article: Article) -> NewsArticle:
    """An article with its text."""
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
