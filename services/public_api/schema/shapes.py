"""What the API answers. A field that is here is promised: it is added to, never taken away."""

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
    """What the words of an article say, by a model that counts them."""

    score: float = Field(ge=-1, le=1, description="-1 is bad news, 1 is good news")
    label: Label


class NewsItem(_Shape):
    """An article as lists have it."""

    id: str
    title: str
    summary: str
    url: str
    source: str = Field(description="Name of the feed it came by")
    authors: tuple[str, ...]
    published: Moment
    sentiment: Sentiment | None = Field(description="null until the article has been read")
    symbols: tuple[str, ...]
    topics: tuple[str, ...]


class NewsArticle(NewsItem):
    """An article with its text."""

    text: str


class NewsPage(_Shape):
    """Articles, newest first."""

    items: Sequence[NewsItem]
    next: str | None = Field(
        description="The `cursor` of the next page; null on the last one. A page can have fewer"
        " articles than the limit, even none, and still a next one."
    )


class SentimentAnswer(_Shape):
    """Sentiment by day; days without articles are left out."""

    symbol: str | None
    since: date
    until: date
    days: Sequence[DaySentiment]


class UsageAnswer(_Shape):
    """Calls by the hour; hours without calls are left out."""

    account: str
    since: Moment
    until: Moment
    calls: int
    errors: int
    hours: Sequence[UsageHour]


class WrongParameter(_Shape):
    """Of a call that was not understood."""

    parameter: str
    detail: str


class ProblemAnswer(_Shape):
    """Why there is no answer (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: Sequence[WrongParameter] | None = None


def item_of(article: Listing) -> NewsItem:
    """As lists have it, from the database's; that has been checked already."""
    return NewsItem.model_construct(**_fields(article))


def article_of(article: Article) -> NewsArticle:
    """With its text, from the database's."""
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
