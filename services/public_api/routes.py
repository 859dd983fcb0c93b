"""The table of API routes. The request handlers and the OpenAPI document are created from it."""

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
    """An API route. `answering` receives the parsed `parameters` and returns the response model."""

    path: str
    name: str
    """The route's operationId in the OpenAPI document."""
    summary: str
    description: str
    tag: str
    scope: str
    parameters: type[Parameters]
    answer: type[BaseModel]
    answering: Answering
    can_be_missing: bool = False
    """Whether the route may return 404."""
    is_paged: bool = False
    """Whether the value of `next` is also sent in a `Link` header."""


ROUTES: Final = (
    Route(
        "/v1/news",
        "listNews",
        "List articles",
        "Returns the articles that match all given filters, newest first. To read all pages, follow"
        " `next` until its value is null. New articles do not shift the pages.",
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
        "Returns one article with its text.",
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
        "Get sentiment by day",
        "Returns the sentiment of each day's articles, by publication date.",
        "sentiment",
        "sentiment:read",
        SentimentParameters,
        SentimentAnswer,
        Sources.sentiment,
    ),
    Route(
        "/v1/quotes/{symbol}",
        "readQuote",
        "Get a quote",
        "Returns the price of a symbol. `simulated` marks an invented price; `delayed` and `stale`"
        " mark an old price.",
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
        "Get your calls by hour",
        "Counts the calls of your account, or of one of its tokens. Calls from the last second may"
        " be missing.",
        "usage",
        "usage:read",
        UsageParameters,
        UsageAnswer,
        Sources.calls,
    ),
)
