"""Parses a feed's entries.

This module does no I/O. Call `parse` in a thread, because it may take a while.

Rule: always pass a stream to feedparser. It treats a string as a URL or a path to open.
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

from services.newswatcher.reading import text
from services.newswatcher.reading.canonical import canonical
from services.stores.article import EntryFields

MOST_ENTRIES: Final = 500
_MOST_AUTHORS: Final = 10


class NotAFeedError(ValueError):
    """The response is not a feed, or the feed cannot be parsed."""


class Entry(EntryFields):
    """One entry of a feed, as plain text."""

    link: str
    """The canonical URL of the entry's article."""
    content: str
    """The longest text that the feed contains for this entry."""
    published: datetime | None

    @property
    def key(self) -> str:
        """The entry's key in the feed's state: 16 hexadecimal digits."""
        return hashlib.sha256(self.link.encode()).hexdigest()[:16]

    @property
    def digest(self) -> str:
        """A hash of the entry's text, for detecting changes to the text."""
        whole = f"{self.title}\n{self.summary}\n{self.content}"
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def parse(body: bytes, *, url: str, content_type: str) -> tuple[Entry, ...]:
    """Return the feed's entries in order, omitting repeated links and entries without a title.

    Raises:
        NotAFeedError: if the response is not a feed or cannot be parsed.
    """
    # feedparser would use these headers if it had fetched the feed itself.
    headers = {"content-type": content_type, "content-location": url}
    try:
        feed = feedparser.parse(io.BytesIO(body), response_headers=headers)
    except Exception as exc:
        # On invalid input, feedparser and its libraries may raise any kind of error.
        raise NotAFeedError("the feed could not be parsed") from exc
    if not feed.get("version") and not feed.get("entries"):
        raise NotAFeedError("the response is not an RSS or Atom feed")
    if feed.get("bozo") and not feed.get("entries"):
        raise NotAFeedError("the feed contains an error before its first entry")
    by_link: dict[str, Entry] = {}
    for raw in feed["entries"][:MOST_ENTRIES]:
        entry = _entry(raw, url)
        if entry is not None:
            by_link.setdefault(entry.link, entry)
    return tuple(by_link.values())


def _entry(raw: Mapping[str, Any], feed_url: str) -> Entry | None:
    address = raw.get("feedburner_origlink") or raw.get("link") or _permalink(raw)
    if not isinstance(address, str):
        return None
    try:
        link = canonical(urljoin(feed_url, address))
    except ValueError:
        return None
    title = text.line(text.from_markup(_text(raw.get("title"))), most=text.TITLE_CHARACTERS)
    if link is None or not title:
        return None
    summary = text.from_markup(_text(raw.get("summary")))
    bodies = [text.from_markup(_text(part.get("value"))) for part in raw.get("content") or ()]
    return Entry(
        link=link,
        title=title,
        summary=text.line(summary, most=text.SUMMARY_CHARACTERS),
        content=max((summary, *bodies), key=len),
        authors=_authors(raw),
        published=_moment(raw),
    )


def _permalink(raw: Mapping[str, Any]) -> str | None:
    entry_id = raw.get("id")
    return (
        entry_id
        if isinstance(entry_id, str) and entry_id.startswith(("http://", "https://"))
        else None
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _authors(raw: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [author.get("name") for author in raw.get("authors") or ()] or [raw.get("author")]
    names = [
        text.line(text.from_markup(_text(name)), most=text.AUTHOR_CHARACTERS) for name in texts
    ]
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST_AUTHORS]


def _moment(raw: Mapping[str, Any]) -> datetime | None:
    parsed = raw.get("published_parsed")
    if parsed is None and isinstance(raw, dict):
        # Use dict.get, because feedparser's own method falls back to another key and warns.
        parsed = dict.get(raw, "updated_parsed")
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError):
        return None
