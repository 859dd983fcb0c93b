"""The news database: pages of articles, single ones, sentiment by day.

Rule: every question here is answered from an index and in one or few bounded reads; no caller
can make the database read all articles.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from runtime.errors import GoneError
from services.stores import design
from services.stores.article import (
    Analysis,
    Article,
    Duplicate,
    Label,
    Listing,
    article_id,
    bands,
    content_hash,
    timestamp,
)
from services.stores.couch import ConflictError, Couch
from services.stores.cursor import Cursor

__all__ = [
    "Analysis",
    "Article",
    "Cursor",
    "DaySentiment",
    "Duplicate",
    "Label",
    "Listing",
    "News",
    "NewsQuery",
    "article_id",
    "content_hash",
]

DATABASE: Final = "news"
EVERYTHING: Final = "*"
"""The symbol of the sentiment of all articles."""
_SCAN: Final = 200
_SCANS: Final = 5
"""Reads for one page at most, when articles are sifted by more than an index knows."""
_TRIES: Final = 5
_HIGHEST: Final[dict[str, str]] = {}
"""Sorts after every text in CouchDB's order of keys."""


class NewsQuery(BaseModel):
    """Which articles, newest first; what is None does not matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = None
    topic: str | None = None
    source: str | None = None
    label: Label | None = None
    since: AwareDatetime | None = None
    """Published then or later."""
    until: AwareDatetime | None = None
    """Published before."""
    limit: int = Field(default=20, ge=1, le=100)
    cursor: Cursor | None = None

    def has(self, one: Listing) -> bool:
        """Whether the article is asked for, as far as an index does not tell."""
        ml = one.ml
        return (
            (self.symbol is None or (ml is not None and self.symbol in ml.symbols))
            and (self.topic is None or (ml is not None and self.topic in ml.topics))
            and (self.source is None or one.source == self.source)
            and (self.label is None or (ml is not None and ml.label == self.label))
        )


class DaySentiment(BaseModel):
    """The articles of one day."""

    model_config = ConfigDict(frozen=True)

    day: date
    count: int
    mean: float
    minimum: float
    maximum: float


class News:
    """Articles, by way of one CouchDB."""

    def __init__(self, couch: Couch, *, database: str = DATABASE) -> None:
        self._couch = couch
        self._database = database

    async def prepare(self) -> None:
        """Make the database and its views, unless they are there."""
        await self._couch.ensure_database(self._database)
        await self._couch.ensure_design(self._database, design.DESIGN)

    async def page(self, query: NewsQuery) -> tuple[list[Listing], Cursor | None]:
        """One page, and where the next one begins if there may be one.

        A page can be shorter than its limit and still have a next one: several conditions at
        once are sifted from the one that has the fewest articles, so far and no further.
        """
        view, prefix, conditions = _index(query)
        batch = query.limit if conditions < 2 else max(query.limit, _SCAN)
        found: list[Listing] = []
        after = query.cursor
        for _ in range(1 if conditions < 2 else _SCANS):
            start = _from(query, after)
            end = [timestamp(query.since)] if query.since else []
            if end and isinstance(start[0], str) and start[0] < end[0]:
                # CouchDB refuses a range that ends before it begins.
                return found, None
            # One more tells whether there is a next page; one more again is the cursor's own.
            rows = await self._rows(
                view,
                startkey=[*prefix, *start],
                endkey=[*prefix, *end],
                descending=True,
                reduce=False,
                limit=batch + 2,
            )
            rows = [row for row in rows if after is None or row["key"][-2:] != after.key]
            for row in rows[:batch]:
                one = Listing.model_validate(row["value"])
                after = Cursor(published=one.published, id=one.id)
                if conditions < 2 or query.has(one):
                    found.append(one)
                    if len(found) == query.limit:
                        is_last = row is rows[-1]
                        return found, None if is_last else after
            if len(rows) <= batch:
                return found, None
        return found, after

    async def article(self, article: str) -> Article:
        """One article with its text.

        Raises:
            GoneError: there is none.
        """
        return Article.from_doc(await self._couch.get(self._database, article))

    async def save(self, article: Article) -> Article:
        """Write an article over the revision it was read as; returns it with the new one.

        Raises:
            ConflictError: it was written meanwhile (by ml, say): read it and decide again.
        """
        rev = await self._couch.put(self._database, article.to_doc())
        return article.model_copy(update={"rev": rev})

    async def analyse(self, article: Article, analysis: Analysis) -> bool:
        """Add what ml found, unless the text became another meanwhile; whether it was added."""
        for _ in range(_TRIES):
            if article.content_hash != analysis.of:
                return False
            try:
                await self.save(article.model_copy(update={"ml": analysis}))
            except ConflictError:
                article = await self.article(article.id)
            else:
                return True
        raise ConflictError(f"writing {article.id}: written by others {_TRIES} times in a row")

    async def near(self, fingerprint: str) -> dict[str, str]:
        """Articles that may say nearly the same: fingerprints by id. The caller counts bits."""
        found = {}
        for band in bands(fingerprint):
            for row in await self._rows("by_fingerprint", key=list(band), limit=_SCAN):
                found[str(row["id"])] = str(row["value"])
        return found

    async def sentiment(
        self, symbol: str | None, since_day: date, until_day: date
    ) -> list[DaySentiment]:
        """Each day with articles, oldest first, both ends included; None is all articles."""
        of = symbol or EVERYTHING
        rows = await self._rows(
            "sentiment",
            startkey=[of, since_day.isoformat()],
            endkey=[of, until_day.isoformat()],
            group=True,
        )
        return [
            DaySentiment(
                day=row["key"][1],
                count=row["value"]["count"],
                mean=row["value"]["sum"] / row["value"]["count"],
                minimum=row["value"]["min"],
                maximum=row["value"]["max"],
            )
            for row in rows
        ]

    async def symbols(self, limit: int = 50) -> dict[str, int]:
        """How many articles name each symbol, most first."""
        return _most(await self._rows("by_symbol", group_level=1), limit)

    async def topics(self, limit: int = 50) -> dict[str, int]:
        """How many articles are about each topic, most first."""
        return _most(await self._rows("by_topic", group_level=1), limit)

    async def sources(self, limit: int = 50) -> dict[str, int]:
        """How many articles came from each feed, most first."""
        return _most(await self._rows("by_source", group_level=1), limit)

    async def _rows(self, view: str, **params: Any) -> list[dict[str, Any]]:
        try:
            return await self._couch.view(self._database, design.NAME, view, **params)
        except GoneError:
            # Asked before any writer came up, or of a database that lost its data.
            await self.prepare()
            return await self._couch.view(self._database, design.NAME, view, **params)


def _index(query: NewsQuery) -> tuple[str, list[str], int]:
    """The view that has the fewest articles, the beginning of its keys, how many conditions."""
    conditions = [
        ("by_symbol", query.symbol),
        ("by_topic", query.topic),
        ("by_source", query.source),
        ("by_label", query.label),
    ]
    given = [(view, value) for view, value in conditions if value is not None]
    if not given:
        return "by_published", [], 0
    view, value = given[0]
    return view, [value], len(given)


def _from(query: NewsQuery, after: Cursor | None) -> list[Any]:
    """Where to begin, in descending order: the newest, the end of the time asked for, a place."""
    ends: list[datetime] = [query.until] if query.until else []
    if after is None:
        # `[until]` sorts before `[until, id]`: what was published just then is left out.
        return [timestamp(ends[0])] if ends else [_HIGHEST]
    if ends and timestamp(ends[0]) <= after.key[0]:
        return [timestamp(ends[0])]
    return list(after.key)


def _most(rows: Iterable[dict[str, Any]], limit: int) -> dict[str, int]:
    counted = {str(row["key"][0]): int(row["value"]) for row in rows}
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:limit])
