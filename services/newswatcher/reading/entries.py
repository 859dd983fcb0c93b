"""The entries of a feed, from its bytes. No I/O; may take a while, so it is called in a thread.

Rule: feedparser is given a stream. A text it would take for an address or a path, and open.
"""

import calendar
import hashlib
import io
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urljoin

import feedparser  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict

from services.newswatcher.reading import text
from services.newswatcher.reading.canonical import canonical

MOST_ENTRIES: Final = 500
_MOST_AUTHORS: Final = 10


class NotAFeedError(ValueError):
    """What came is no feed, or one that cannot be read."""


class Entry(BaseModel):
    """One entry, in plain text."""

    model_config = ConfigDict(frozen=True)

    link: str
    """Canonical."""
    title: str
    summary: str
    content: str
    """The longest text the feed itself has of it."""
    authors: tuple[str, ...]
    published: datetime | None

    @property
    def key(self) -> str:
        """What the entry is remembered by."""
        return hashlib.sha256(self.link.encode()).hexdigest()[:16]

    @property
    def digest(self) -> str:
        """Another one means that the entry was changed."""
        whole = f"{self.title}\n{self.summary}\n{self.content}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def parse(body: bytes, *, url: str, content_type: str) -> tuple[Entry, ...]:
    """The entries, as the feed has them in order; each link once, and none without a title.

    Raises:
        NotAFeedError: there is no feed in it.
    """
    # Only what matters is passed on; feedparser sees it as if it had fetched the feed.
    headers = {"content-type": content_type, "content-location": url}
    try:
        told = feedparser.parse(io.BytesIO(body), response_headers=headers)
    except Exception as exc:
        # Garbage has brought it, sgmllib and expat to most kinds of errors.
        raise NotAFeedError("the answer breaks the parser of feeds") from exc
    if not told.get("version") and not told.get("entries"):
        raise NotAFeedError("the answer is no RSS or Atom feed")
    if told.get("bozo") and not told.get("entries"):
        raise NotAFeedError("the feed is broken before its first entry")
    found: dict[str, Entry] = {}
    for raw in told["entries"][:MOST_ENTRIES]:
        entry = _entry(raw, url)
        if entry is not None:
            found.setdefault(entry.link, entry)
    return tuple(found.values())


def _entry(raw: Mapping[str, Any], feed_url: str) -> Entry | None:
    told = raw.get("feedburner_origlink") or raw.get("link") or _permalink(raw)
    if not isinstance(told, str):
        return None
    try:
        link = canonical(urljoin(feed_url, told))
    except ValueError:
        return None
    title = text.line(text.from_markup(_text(raw.get("title"))), most=text.TITLE_CHARACTERS)
    if link is None or not title:
        return None
    summary = text.from_markup(_text(raw.get("summary")))
    bodies = [text.from_markup(_text(one.get("value"))) for one in raw.get("content") or ()]
    return Entry(
        link=link,
        title=title,
        summary=text.line(summary, most=text.SUMMARY_CHARACTERS),
        content=max((summary, *bodies), key=len),
        authors=_authors(raw),
        published=_moment(raw),
    )


def _permalink(raw: Mapping[str, Any]) -> str | None:
    told = raw.get("id")
    return told if isinstance(told, str) and told.startswith(("http://", "https://")) else None


def _text(told: Any) -> str:
    return told if isinstance(told, str) else ""


def _authors(raw: Mapping[str, Any]) -> tuple[str, ...]:
    told = [one.get("name") for one in raw.get("authors") or ()] or [raw.get("author")]
    names = [text.line(text.from_markup(_text(one)), most=text.AUTHOR_CHARACTERS) for one in told]
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST_AUTHORS]


def _moment(raw: Mapping[str, Any]) -> datetime | None:
    told = raw.get("published_parsed")
    if told is None and isinstance(raw, dict):
        # By dict's own get: feedparser's looks elsewhere as well, and warns of it.
        told = dict.get(raw, "updated_parsed")
    if not isinstance(told, time.struct_time):
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(told), UTC)
    except (ValueError, OverflowError, OSError):
        return None
