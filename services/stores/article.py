"""An article of the news database: what each writer owns of it, and how it is told apart.

Rule: newswatcher writes every field but `ml`, and keeps `ml` when it writes; ml writes `ml` alone.
Times are UTC in whole seconds, because their texts are keys and have to sort as the times do.
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
    """The text of a time in every key and document: `2026-11-24T03:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[AwareDatetime, PlainSerializer(timestamp, return_type=str)]


def article_id(canonical_url: str) -> str:
    """The `_id` of the article with this canonical URL: one article, one document."""
    return "news-" + hashlib.sha256(canonical_url.encode()).hexdigest()[:32]


def content_hash(title: str, text: str) -> str:
    """What an analysis was made from: another hash means that it has to be made again."""
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def bands(fingerprint: str) -> list[tuple[int, str]]:
    """The four bands of a fingerprint: texts at most 3 bits apart share at least one."""
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
    """What the ml service found in an article."""

    version: str
    """Of the model: another one makes the analysis anew."""
    of: str
    """The article's `content_hash` it was made from."""
    score: float = Field(ge=-1, le=1)
    label: Label
    symbols: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    at: Moment


class Listing(_Frozen):
    """An article without its text, as pages of articles have it. It is never written back."""

    id: str = Field(alias="_id", pattern=r"^news-[0-9a-f]{32}$")
    url: str
    canonical_url: str
    title: str
    summary: str = ""
    source: str
    """Name of the feed."""
    feed_url: str
    authors: tuple[str, ...] = ()
    published: Moment
    fetched: Moment
    duplicates: tuple[Duplicate, ...] = ()
    content_hash: str
    ml: Analysis | None = None

    @property
    def is_analysed(self) -> bool:
        """Whether the analysis is of the article as it is now."""
        return self.ml is not None and self.ml.of == self.content_hash


class Article(Listing):
    """The whole document."""

    rev: str | None = Field(default=None, alias="_rev")
    """As it was read; None for a new one."""
    type: Literal["news"] = "news"
    text: str
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    """64-bit simhash of the text."""

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """The article of a CouchDB document.

        Raises:
            pydantic.ValidationError: it is no article, or of a shape we do not know.
        """
        return cls.model_validate(doc)

    def to_doc(self) -> dict[str, Any]:
        """As CouchDB takes it."""
        doc = self.model_dump(by_alias=True, mode="json")
        if self.rev is None:
            del doc["_rev"]
        return doc
