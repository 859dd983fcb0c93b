"""Where the answers come from, one method for each route; no HTTP in here."""

from dataclasses import dataclass
from datetime import timedelta

from runtime import clock
from runtime.errors import ClusterError, GoneError, RefusedError, UnavailableError
from runtime.web.problems import Problem
from services.peers.auth import Verified
from services.peers.quotes import Quote, Quotes, QuotesAwayError
from services.public_api.schema.parameters import (
    ArticleParameters,
    NewsParameters,
    QuoteParameters,
    SentimentParameters,
    UsageParameters,
)
from services.public_api.schema.shapes import (
    NewsArticle,
    NewsPage,
    SentimentAnswer,
    UsageAnswer,
    article_of,
    item_of,
)
from services.stores.news import News
from services.stores.usage import Usage

_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Sources:
    """The stores and services behind the API."""

    news: News
    quotes: Quotes
    usage: Usage

    async def list_news(self, asked: NewsParameters, _who: Verified) -> NewsPage:
        """A page of articles, newest first."""
        try:
            found, after = await self.news.page(asked.query())
        except (UnavailableError, RefusedError) as exc:
            raise _away("The news", exc) from exc
        return NewsPage.model_construct(
            items=[item_of(one) for one in found], next=after.encode() if after else None
        )

    async def read_article(self, asked: ArticleParameters, _who: Verified) -> NewsArticle:
        """One article with its text."""
        try:
            return article_of(await self.news.article(asked.id))
        except GoneError as exc:
            raise Problem(
                status=404, title="No such article", detail="It may have been removed."
            ) from exc
        except (UnavailableError, RefusedError) as exc:
            raise _away("The news", exc) from exc

    async def sentiment(self, asked: SentimentParameters, _who: Verified) -> SentimentAnswer:
        """Sentiment by day, of a symbol or of all articles."""
        until = clock.now().date()
        since = until - timedelta(days=asked.days - 1)
        symbol = asked.symbol.upper() if asked.symbol else None
        try:
            days = await self.news.sentiment(symbol, since, until)
        except (UnavailableError, RefusedError) as exc:
            raise _away("The sentiment", exc) from exc
        return SentimentAnswer(symbol=symbol, since=since, until=until, days=days)

    async def quote(self, asked: QuoteParameters, _who: Verified) -> Quote:
        """What a symbol is worth."""
        try:
            return await self.quotes.quote(asked.symbol.upper())
        except GoneError as exc:
            raise Problem(
                status=404, title="No such symbol", detail="The broker does not know it."
            ) from exc
        except (UnavailableError, RefusedError) as exc:
            raise _away("The quotes", exc) from exc

    async def calls(self, asked: UsageParameters, who: Verified) -> UsageAnswer:
        """The calls of the caller's account."""
        until = clock.now()
        # Whole hours, so that the first one is not cut.
        since = (until - timedelta(days=asked.days)).replace(minute=0, second=0, microsecond=0)
        try:
            hours = await self.usage.by_hour(who.account, asked.token, since=since, until=until)
        except (UnavailableError, RefusedError) as exc:
            raise _away("The usage", exc) from exc
        return UsageAnswer(
            account=who.account,
            since=since,
            until=until,
            calls=sum(hour.calls for hour in hours),
            errors=sum(hour.errors for hour in hours),
            hours=hours,
        )


def _away(what: str, exc: ClusterError) -> Problem:
    seconds = _RETRY_SECONDS
    if isinstance(exc, QuotesAwayError):
        seconds = max(1, round(exc.retry_after_seconds))
    return Problem(
        status=503,
        title=f"{what} cannot be had now",
        detail="What keeps it is away. Try again in a few seconds.",
        headers={"Retry-After": str(seconds)},
    )
