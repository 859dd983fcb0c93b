"""The news database: pages of articles, single articles and daily sentiment.

Rules: every query uses an index and makes a limited number of reads. No query may make the
database read all articles. A row that cannot be read is skipped and counted, and nothing is written
that cannot be read back.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from runtime.errors import GoneError, RefusedError
from runtime.faults import Faults
from runtime.web.faults import counted
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
    "UnreadableError",
    "article_id",
    "content_hash",
]

DATABASE: Final = "news"
EVERYTHING: Final = "*"
"""The key for all articles in the `sentiment` view."""
_SCAN: Final = 200
_SCANS: Final = 5
"""The maximum number of reads for one page, if filters or unreadable rows leave it incomplete."""
_UNREADABLE_SCANS: Final = 50
"""The maximum number of reads for one page, if all rows so far were unreadable."""
_ATTEMPTS: Final = 5
_ROWS: Final = "rows of the news database"
_HIGHEST: Final[dict[str, str]] = {}
"""A value that CouchDB sorts after all strings."""


class UnreadableError(GoneError):
    """The document is not a valid article. `rev` is its revision, for overwriting the document."""

    def __init__(self, message: str, *, rev: str | None) -> None:
        super().__init__(message)
        self.rev = rev


class NewsQuery(BaseModel):
    """Filters for articles. A filter that is None matches every article."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = None
    topic: str | None = None
    source: str | None = None
    label: Label | None = None
    since: AwareDatetime | None = None
    """Match articles published at this time or later."""
    until: AwareDatetime | None = None
    """Match articles published before this time."""
    limit: int = Field(default=20, ge=1, le=100)
    cursor: Cursor | None = None

    def matches(self, article: Listing) -> bool:
        """Return whether the article matches the symbol, topic, source and label filters."""
        ml = article.ml
        return (
            (self.symbol is None or (ml is not None and self.symbol in ml.symbols))
            and (self.topic is None or (ml is not None and self.topic in ml.topics))
            and (self.source is None or article.source == self.source)
            and (self.label is None or (ml is not None and ml.label == self.label))
        )


class DaySentiment(BaseModel):
    """The sentiment of one day's articles."""

    model_config = ConfigDict(frozen=True)

    day: date
    count: int
    mean: float
    minimum: float
    maximum: float


class News:
    """The articles in one CouchDB database."""

    def __init__(
        self, couch: Couch, *, database: str = DATABASE, faults: Faults | None = None
    ) -> None:
        self._couch = couch
        self._database = database
        self._faults = faults or counted()

    async def prepare(self) -> None:
        """Create the database and its views if they do not exist."""
        await self._couch.ensure_database(self._database)
        await self._couch.ensure_design(self._database, design.DESIGN)

    async def page(self, query: NewsQuery) -> tuple[list[Listing], Cursor | None]:
        """Return one page of articles, newest first, and a cursor if there may be a next page.

        A page may contain fewer articles than the limit even if there is a next page. If there
        are several filters, a query reads a limited number of articles that match the most
        selective filter, and then applies the other filters to them.
        """
        view, prefix, conditions = _index(query)
        batch = query.limit if conditions < 2 else max(query.limit, _SCAN)
        articles: list[Listing] = []
        after = query.cursor
        position = list(after.key) if after else None
        for read in range(1, _UNREADABLE_SCANS + 1):
            start = _from(query, position)
            end = [timestamp(query.since)] if query.since else []
            if end and isinstance(start[0], str) and start[0] < end[0]:
                # CouchDB rejects a range that ends before it begins.
                return articles, None
            # One extra row shows whether there is a next page; the other is the cursor's article.
            rows = await self._rows(
                view,
                startkey=[*prefix, *start],
                endkey=[*prefix, *end],
                descending=True,
                reduce=False,
                limit=batch + 2,
            )
            rows = [row for row in rows if position is None or row["key"][-2:] != position]
            for row in rows[:batch]:
                position = row["key"][-2:]
                listing = self._listing(row)
                if listing is None:
                    continue
                after = Cursor(published=listing.published, id=listing.id)
                if conditions < 2 or query.matches(listing):
                    articles.append(listing)
                    if len(articles) == query.limit:
                        is_last = row is rows[-1]
                        return articles, None if is_last else after
            if len(rows) <= batch:
                return articles, None
            # Without a cursor that has moved, the caller would never get past unreadable rows.
            if read >= _SCANS and after != query.cursor:
                return articles, after
        return articles, None

    def _listing(self, row: dict[str, Any]) -> Listing | None:
        """Return a row's article, or None if the row is not an article that can be read."""
        with self._faults.contained(_ROWS):
            return Listing.model_validate(row["value"])
        return None

    async def article(self, article: str) -> Article:
        """Return one article with its text.

        Raises:
            GoneError: if there is no article with this id.
            UnreadableError: if there is a document with this id, but it is not a valid article.
        """
        doc = await self._couch.get(self._database, article)
        try:
            return Article.from_doc(doc)
        except ValidationError as exc:
            self._faults.note(_ROWS, exc)
            raise UnreadableError(
                f"reading {article}: the document is not a valid article", rev=_rev(doc)
            ) from exc

    async def save(self, article: Article) -> Article:
        """Write an article and return a copy with the new revision.

        Raises:
            ConflictError: if the stored article has changed since it was read, for example
                because the ml service has written an analysis.
            RefusedError: if the article could not be read back.
        """
        try:
            doc = article.to_doc()
            Article.from_doc(doc)
        except ValueError as exc:
            raise RefusedError(f"writing {article.id}: the article is not valid") from exc
        rev = await self._couch.put(self._database, doc)
        return article.model_copy(update={"rev": rev})

    async def analyse(self, article: Article, analysis: Analysis) -> bool:
        """Store an analysis unless the article's text has changed. Return whether it was stored."""
        for _ in range(_ATTEMPTS):
            if article.content_hash != analysis.of:
                return False
            try:
                await self.save(article.model_copy(update={"ml": analysis}))
            except ConflictError:
                article = await self.article(article.id)
            else:
                return True
        raise ConflictError(f"writing {article.id}: {_ATTEMPTS} conflicts in a row")

    async def near(self, fingerprint: str) -> dict[str, str]:
        """Return the fingerprints of possible near-duplicates, keyed by article id.

        The caller must compare the fingerprints.
        """
        fingerprints = {}
        for band in bands(fingerprint):
            for row in await self._rows("by_fingerprint", key=list(band), limit=_SCAN):
                with self._faults.contained(_ROWS):
                    # The caller compares numbers.
                    fingerprints[str(row["id"])] = f"{int(row['value'], 16):016x}"
        return fingerprints

    async def sentiment(
        self, symbol: str | None, since_day: date, until_day: date
    ) -> list[DaySentiment]:
        """Return the sentiment for each day that has articles, oldest first.

        The range includes `since_day` and `until_day`. If `symbol` is None, all articles are used.
        """
        key = symbol or EVERYTHING
        rows = await self._rows(
            "sentiment",
            startkey=[key, since_day.isoformat()],
            endkey=[key, until_day.isoformat()],
            group=True,
        )
        days, _ = self._faults.readable(_ROWS, rows, _day)
        return days

    async def symbols(self, limit: int = 50) -> dict[str, int]:
        """Return the number of articles for each symbol, highest first."""
        return self._most(await self._rows("by_symbol", group_level=1), limit)

    async def topics(self, limit: int = 50) -> dict[str, int]:
        """Return the number of articles for each topic, highest first."""
        return self._most(await self._rows("by_topic", group_level=1), limit)

    async def sources(self, limit: int = 50) -> dict[str, int]:
        """Return the number of articles for each feed, highest first."""
        return self._most(await self._rows("by_source", group_level=1), limit)

    def _most(self, rows: Iterable[dict[str, Any]], limit: int) -> dict[str, int]:
        counts, _ = self._faults.readable(
            _ROWS, rows, lambda row: (str(row["key"][0]), int(row["value"]))
        )
        return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:limit])

    async def _rows(self, view: str, **params: Any) -> list[dict[str, Any]]:
        try:
            return await self._couch.view(self._database, design.NAME, view, **params)
        except GoneError:
            # Nothing has been written yet, or the database was deleted.
            await self.prepare()
            return await self._couch.view(self._database, design.NAME, view, **params)


def _index(query: NewsQuery) -> tuple[str, list[str], int]:
    """Return the view for the most selective filter, its key prefix, and the number of filters."""
    conditions = [
        ("by_symbol", query.symbol),
        ("by_topic", query.topic),
        ("by_source", query.source),
        ("by_label", query.label),
    ]
    used = [(view, value) for view, value in conditions if value is not None]
    if not used:
        return "by_published", [], 0
    view, value = used[0]
    return view, [value], len(used)


def _from(query: NewsQuery, after: Sequence[Any] | None) -> list[Any]:
    """Return the key where a read starts: after a row's key, `until`, or the highest key."""
    ends: list[datetime] = [query.until] if query.until else []
    if after is None:
        # `[until]` sorts before `[until, id]`, so articles published at `until` are excluded.
        return [timestamp(ends[0])] if ends else [_HIGHEST]
    if ends and isinstance(after[0], str) and timestamp(ends[0]) <= after[0]:
        return [timestamp(ends[0])]
    return list(after)


def _day(row: dict[str, Any]) -> DaySentiment:
    statistics = row["value"]
    return DaySentiment(
        day=row["key"][1],
        count=statistics["count"],
        mean=statistics["sum"] / statistics["count"],
        minimum=statistics["min"],
        maximum=statistics["max"],
    )


def _rev(doc: dict[str, Any]) -> str | None:
    rev = doc.get("_rev")
    return rev if isinstance(rev, str) else None
