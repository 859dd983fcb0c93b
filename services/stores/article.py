"""The document of an article in the news database.

A new field of a feed's entry goes into `EntryFields` and is parsed in
`newswatcher/reading/entries.py`; newswatcher then stores it. The API's models
(`public_api/schema/answers.py`) and the site's templates choose which fields they show.

Rule: newswatcher writes every field but `ml`, and keeps `ml` when it writes; ml writes `ml` only.
Times are UTC in whole seconds, because their texts are keys and must sort like the times.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

Label = Literal["positive", "negative", "neutral"]
BAND_BITS: Final = 16
_BAND_DIGITS: Final = BAND_BITS // 4


def timestamp(at: datetime) -> str:
    """A time as text, in every key and document: `2026-11-24T03:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[AwareDatetime, PlainSerializer(timestamp, return_type=str)]


def article_id(canonical_url: str) -> str:
    """The `_id` of the article with this canonical URL: one article, one document."""
    return "news-" + hashlib.sha256(canonical_url.encode()).hexdigest()[:32]


def content_hash(title: str, text: str) -> str:
    """The hash of what an analysis is made from; when it changes, so must the analysis."""
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def bands(fingerprint: str) -> list[tuple[int, str]]:
    """The four bands of a fingerprint; texts that differ in at most 3 bits share at least one."""
    return [
        (at // _BAND_DIGITS, fingerprint[at : at + _BAND_DIGITS])
        for at in range(0, len(fingerprint), _BAND_DIGITS)
    ]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Duplicate(_Frozen):
    """The same news at another address."""

    url: str
    source: str
    seen: Moment


class Analysis(_Frozen):
    """The ml service's analysis of an article."""

    version: str
    """The model's version; a newer one analyses the article again."""
    of: str
    """The article's `content_hash` at the time."""
    score: float = Field(ge=-1, le=1)
    label: Label
    symbols: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    at: Moment


class EntryFields(_Frozen):
    """The fields that come from a feed's entry and are stored unchanged."""

    title: str
    summary: str = ""
    authors: tuple[str, ...] = ()

    def entry_fields(self) -> dict[str, Any]:
        """These fields by name, for the article of an entry or for its next version."""
        return {name: getattr(self, name) for name in EntryFields.model_fields}


class Listing(EntryFields):
    """An article without its text, as in pages of articles. It is never written back."""

    id: str = Field(alias="_id", pattern=r"^news-[0-9a-f]{32}$")
    url: str
    canonical_url: str
    source: str
    """The feed's name."""
    feed_url: str
    published: Moment
    fetched: Moment
    duplicates: tuple[Duplicate, ...] = ()
    content_hash: str
    ml: Analysis | None = None

    @property
    def is_analysed(self) -> bool:
        """Whether the analysis belongs to the article's current text."""
        return self.ml is not None and self.ml.of == self.content_hash


class Article(Listing):
    """The whole document."""

    rev: str | None = Field(default=None, alias="_rev")
    """The revision that was read; None for a new article."""
    type: Literal["news"] = "news"
    text: str
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    """64-bit simhash of the text."""

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """The article of a CouchDB document.

        Raises:
            pydantic.ValidationError: the document is not an article.
        """
        return cls.model_validate(doc)

    def to_doc(self) -> dict[str, Any]:
        """The CouchDB document of the article."""
        doc = self.model_dump(by_alias=True, mode="json")
        if self.rev is None:
            del doc["_rev"]
        return doc
