"""Gets the data for each API route from data stores and other services."""

from dataclasses import dataclass
from datetime import timedelta

from runtime import clock
from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from runtime.web.problems import Problem
from services.peers.auth import Verified
from services.peers.quotes import Quote, Quotes, QuotesAwayError
from services.public_api.schema.answers import (
    NewsArticle,
    NewsPage,
    SentimentAnswer,
    UsageAnswer,
    article_of,
    item_of,
)
from services.public_api.schema.parameters import (
    ArticleParameters,
    NewsParameters,
    QuoteParameters,
    SentimentParameters,
    UsageParameters,
)
from services.stores.news import News
from services.stores.usage import Usage

_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Sources:
    """The data stores and services that the API reads from."""

    news: News
    quotes: Quotes
    usage: Usage

    async def list_news(self, parameters: NewsParameters, _caller: Verified) -> NewsPage:
        """Return a page of articles, newest first."""
        try:
            articles, cursor = await self.news.page(parameters.query())
        except (UnavailableError, RefusedError) as exc:
            raise _unavailable("The news database", exc) from exc
        return NewsPage.model_construct(
            items=[item_of(article) for article in articles],
            next=cursor.encode() if cursor else None,
        )

    async def read_article(self, parameters: ArticleParameters, _caller: Verified) -> NewsArticle:
        """Return one article with its text."""
        try:
            return article_of(await self.news.article(parameters.id))
        except GoneError as exc:
            raise Problem(
                status=404, title="Article not found", detail="The article may have been removed."
            ) from exc
        except (UnavailableError, RefusedError) as exc:
            raise _unavailable("The news database", exc) from exc

    async def sentiment(
        self, parameters: SentimentParameters, _caller: Verified
    ) -> SentimentAnswer:
        """Return the daily sentiment for one symbol or for all articles."""
        until = clock.now().date()
        since = until - timedelta(days=parameters.days - 1)
        symbol = parameters.symbol.upper() if parameters.symbol else None
        try:
            days = await self.news.sentiment(symbol, since, until)
        except (UnavailableError, RefusedError) as exc:
            raise _unavailable("The news database", exc) from exc
        return SentimentAnswer(symbol=symbol, since=since, until=until, days=days)

    async def quote(self, parameters: QuoteParameters, _caller: Verified) -> Quote:
        """Return a symbol's quote."""
        try:
            return await self.quotes.quote(parameters.symbol.upper())
        except GoneError as exc:
            raise Problem(
                status=404,
                title="Symbol not found",
                detail="Interactive Brokers has no stock with this symbol.",
            ) from exc
        except (UnavailableError, RefusedError) as exc:
            raise _unavailable("The quote service", exc) from exc

    async def calls(self, parameters: UsageParameters, caller: Verified) -> UsageAnswer:
        """Return hourly call statistics for the caller's account."""
        until = clock.now()
        # Start at a full hour so that the first hour is complete.
        since = (until - timedelta(days=parameters.days)).replace(minute=0, second=0, microsecond=0)
        try:
            hours = await self.usage.by_hour(
                caller.account, parameters.token, since=since, until=until
            )
        except (UnavailableError, RefusedError) as exc:
            raise _unavailable("The usage database", exc) from exc
        return UsageAnswer(
            account=caller.account,
            since=since,
            until=until,
            calls=sum(hour.calls for hour in hours),
            errors=sum(hour.errors for hour in hours),
            hours=hours,
        )


def _unavailable(what: str, exc: ClusterError) -> Problem:
    seconds = _RETRY_SECONDS
    if isinstance(exc, QuotesAwayError):
        seconds = max(1, round(exc.retry_after_seconds))
    return Problem(
        status=503,
        title=f"{what} is unavailable at the moment",
        detail="This is usually temporary. Try again in a few seconds.",
        headers={"Retry-After": str(seconds)},
    )
