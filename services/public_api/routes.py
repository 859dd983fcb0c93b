"""The API's routes in one table, from which both the handlers and the OpenAPI document are made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from services.peers.auth import Verified
from services.peers.quotes import Quote
from services.public_api.schema.answers import NewsArticle, NewsPage, SentimentAnswer, UsageAnswer
from services.public_api.schema.parameters import (
    ArticleParameters,
    NewsParameters,
    Parameters,
    QuoteParameters,
    SentimentParameters,
    UsageParameters,
)
from services.public_api.sources import Sources

Answering = Callable[[Sources, Any, Verified], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `answering` gets the parameters that `parameters` has parsed."""

    path: str
    name: str
    """OpenAPI's operationId."""
    summary: str
    description: str
    tag: str
    scope: str
    parameters: type[Parameters]
    answer: type[BaseModel]
    answering: Answering
    can_be_missing: bool = False
    """Whether it may answer 404."""
    is_paged: bool = False
    """Whether the answer's `next` is also sent as a `Link` header."""


ROUTES: Final = (
    Route(
        "/v1/news",
        "listNews",
        "List articles",
        "Newest first. Articles must meet all given conditions. Pages do not shift while new"
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
        "One article with its text.",
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
        "The sentiment of each day's articles, by date of publication.",
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
        "`simulated` marks an invented price, `delayed` and `stale` an old one.",
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
        "For all tokens of the account, or for one. Calls of the last second may be missing.",
        "usage",
        "usage:read",
        UsageParameters,
        UsageAnswer,
        Sources.calls,
    ),
)
