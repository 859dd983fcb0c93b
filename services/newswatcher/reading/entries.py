"""Parses a feed's entries.

This module does no I/O. It runs in the parser's process, because feeds may contain anything.

Rule: whatever is wrong with one entry costs only this entry.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final

from lxml import etree  # type: ignore[import-untyped]
from pydantic import Field

from services.newswatcher.reading import dates, decoding, feed_tree, text
from services.newswatcher.reading.canonical import canonical, joined
from services.newswatcher.reading.feed_fields import ROOTS, Fields, entries, root_name
from services.stores.article import EntryFields

MOST_ENTRIES: Final = 500
_MOST_AUTHORS: Final = 10
_MOST_LINKS: Final = 10


class NotAFeedError(ValueError):
    """The response is not a feed, or the feed cannot be parsed."""


class Entry(EntryFields):
    """One entry of a feed, as plain text."""

    link: str = Field(pattern=r"^https?://")
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


def parse(
    body: bytes,
    *,
    url: str,
    content_type: str,
    on_refused: Callable[[Exception], None] = lambda _error: None,
) -> tuple[Entry, ...]:
    """Return the feed's entries in order, omitting repeated links and entries without a title.

    If an entry raises an error, it is omitted and `on_refused` is called with the error.

    Raises:
        NotAFeedError: if the response is not a feed or cannot be parsed.
    """
    root, is_well_formed = feed_tree.parse(decoding.from_xml(body, content_type))
    if root is None or root_name(root) not in ROOTS:
        raise NotAFeedError("the response is not an RSS or Atom feed")
    by_link: dict[str, Entry] = {}
    for element in islice(entries(root), MOST_ENTRIES):
        try:
            entry = _entry(element, url)
        except MemoryError:
            raise
        except Exception as exc:  # noqa: BLE001  an entry may contain anything
            on_refused(exc)
            continue
        if entry is not None:
            by_link.setdefault(entry.link, entry)
    if not by_link and not is_well_formed:
        raise NotAFeedError("the feed contains an error before its first entry")
    return tuple(by_link.values())


def _entry(element: etree._Element, feed_url: str) -> Entry | None:
    fields = Fields(element)
    title = text.line(text.from_markup(fields.title()), most=text.TITLE_CHARACTERS)
    link = _link(fields, feed_url)
    if link is None or not title:
        return None
    bodies = [text.from_markup(body) for body in fields.contents()]
    # Many feeds have only the content. Its beginning is then the summary.
    summary = text.from_markup(fields.summary()) or next(filter(None, bodies), "")
    return Entry(
        link=link,
        title=title,
        summary=text.line(summary, most=text.SUMMARY_CHARACTERS),
        content=max((summary, *bodies), key=len),
        authors=_authors(fields),
        published=next(filter(None, map(dates.parse, fields.dates())), None),
    )


def _link(fields: Fields, feed_url: str) -> str | None:
    for address, base in islice(fields.links(), _MOST_LINKS):
        start = joined(feed_url, base) if base else feed_url
        absolute = joined(start or feed_url, address)
        link = canonical(absolute) if absolute else None
        if link is not None:
            return link
    return None


def _authors(fields: Fields) -> tuple[str, ...]:
    names = (
        text.line(text.from_markup(name), most=text.AUTHOR_CHARACTERS)
        for name in fields.authors()[:_MOST_AUTHORS]
    )
    return tuple(dict.fromkeys(name for name in names if name))
