"""The API's routes in one table: what serves a call and what OpenAPI says are made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from services.peers.auth import Verified
from services.peers.quotes import Quote
from services.public_api.schema.parameters import (
    ArticleParameters,
    NewsParameters,
    Parameters,
    QuoteParameters,
    SentimentParameters,
    UsageParameters,
)
from services.public_api.schema.shapes import NewsArticle, NewsPage, SentimentAnswer, UsageAnswer
from services.public_api.sources import Sources

Answering = Callable[[Sources, Any, Verified], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address: `answering` gets the parameters as `parameters` has read them."""

    path: str
    name: str
    """Also OpenAPI's operationId."""
    summary: str
    description: str
    tag: str
    scope: str
    parameters: type[Parameters]
    answer: type[BaseModel]
    answering: Answering
    can_be_missing: bool = False
    """Whether what it names may not exist: 404."""
    is_paged: bool = False
    """Whether the answer's `next` is a Link too."""


ROUTES: Final = (
    Route(
        "/v1/news",
        "listNews",
        "List articles",
        "Newest first. All conditions given have to be met. Pages stay as they are while new"
        " articles arrive: follow `next` until it is null.",
        "news",
        "news:read",
        NewsParameters,
        NewsPage,
        Sources.list_news,
        is_paged=True,
    ),
    Route(
        "/v1/news/{id}",
        "readArticle",
        "Read an article",
        "With its text.",
        "news",
        "news:read",
        ArticleParameters,
        NewsArticle,
        Sources.read_article,
        can_be_missing=True,
    ),
    Route(
        "/v1/sentiment",
        "sentimentByDay",
        "Sentiment by day",
        "Of the articles of each day, by the day they were published on.",
        "sentiment",
        "sentiment:read",
        SentimentParameters,
        SentimentAnswer,
        Sources.sentiment,
    ),
    Route(
        "/v1/quotes/{symbol}",
        "readQuote",
        "Quote a symbol",
        "`simulated` says that no market ever saw the price, `delayed` and `stale` that it is old.",
        "quotes",
        "quotes:read",
        QuoteParameters,
        Quote,
        Sources.quote,
        can_be_missing=True,
    ),
    Route(
        "/v1/usage",
        "usageByHour",
        "Your calls by the hour",
        "Of all tokens of the account, or of one. Calls of the last second may not be in yet.",
        "usage",
        "usage:read",
        UsageParameters,
        UsageAnswer,
        Sources.calls,
    ),
)
