"""The article documents in the news database.

To store another field from feed entries, add the field to `EntryFields`, read it in
`newswatcher/reading/feed_fields.py`, and make it plain text in `newswatcher/reading/entries.py`.
The API's models (`public_api/schema/answers.py`) and the site's templates determine which fields
are shown.

Rule: the ml service writes only the `ml` field, and newswatcher writes all other fields. Times are
in UTC, without fractions of a second, so that they sort correctly as text.
"""

import hashlib
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

Label = Literal["positive", "negative", "neutral"]
BAND_BITS: Final = 16
_BAND_DIGITS: Final = BAND_BITS // 4
_FIRST: Final = datetime(MINYEAR, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(MAXYEAR, 12, 31, 23, 59, 59, tzinfo=UTC)


def timestamp(at: datetime) -> str:
    """Format a time for keys and documents, for example as `2026-11-24T03:00:00Z`.

    All texts have the same length, because years have four digits. A time that is not in the years
    1 to 9999 in UTC becomes the first or the last time of these years.
    """
    try:
        moment = at.astimezone(UTC)
    except OverflowError:
        moment = _FIRST if at.year == MINYEAR else _LAST
    # Years before 1000 are padded by isoformat, but not by strftime.
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


Moment = Annotated[AwareDatetime, PlainSerializer(timestamp, return_type=str)]


def article_id(canonical_url: str) -> str:
    """Return the document `_id` for an article's canonical URL."""
    return "news-" + hashlib.sha256(canonical_url.encode()).hexdigest()[:32]


def content_hash(title: str, text: str) -> str:
    """Return the hash of the text to analyse. If the hash changes, a new analysis is needed."""
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def bands(fingerprint: str) -> list[tuple[int, str]]:
    """Split a fingerprint into four numbered bands.

    Two fingerprints that differ in at most three bits have at least one band in common.
    """
    return [
        (at // _BAND_DIGITS, fingerprint[at : at + _BAND_DIGITS])
        for at in range(0, len(fingerprint), _BAND_DIGITS)
    ]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Duplicate(_Frozen):
    """A copy of an article at another URL."""

    url: str
    source: str
    seen: Moment


class Analysis(_Frozen):
    """The ml service's analysis of an article."""

    version: str
    """The version of the analysis. Articles with an older version are analysed again."""
    of: str
    """The article's `content_hash` when it was analysed."""
    score: float = Field(ge=-1, le=1)
    label: Label
    symbols: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    at: Moment


class EntryFields(_Frozen):
    """The fields that are copied unchanged from a feed entry."""

    title: str
    summary: str = ""
    authors: tuple[str, ...] = ()

    def entry_fields(self) -> dict[str, Any]:
        """Return these fields as a dictionary that can be used to create an article."""
        return {name: getattr(self, name) for name in EntryFields.model_fields}


class Listing(EntryFields):
    """An article without its text, for lists of articles. It is never written to the database."""

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
        """Whether the article's current text has been analysed."""
        return self.ml is not None and self.ml.of == self.content_hash


class Article(Listing):
    """A complete article document."""

    rev: str | None = Field(default=None, alias="_rev")
    """The revision that was read, or None for a new article."""
    type: Literal["news"] = "news"
    text: str
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    """The 64-bit simhash of the text, as 16 hexadecimal digits."""

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """Parse a CouchDB document that contains an article.

        Raises:
            pydantic.ValidationError: if the document is not a valid article.
        """
        return cls.model_validate(doc)

    def to_doc(self) -> dict[str, Any]:
        """Return the article as a CouchDB document.

        Raises:
            ValueError: if a field does not have its type.
        """
        doc = self.model_dump(by_alias=True, mode="json", warnings="error")
        if self.rev is None:
            del doc["_rev"]
        return doc
