"""Reads the fields of one entry in a feed's tree: RSS 0.9 to 2.0, RDF and Atom 0.3 and 1.0.

This module does no I/O. The texts are as written in the feed, so they may contain HTML.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

ROOTS: Final = frozenset({"channel", "feed", "rdf", "rss"})
"""The names of a feed's root element, in lower case."""
_ENTRIES: Final = frozenset({"entry", "item"})
_PREFIXES: Final = {
    "purl.org/rss/1.0/modules/content": "content",
    "purl.org/dc/elements/1.1": "dc",
    "purl.org/dc/terms": "dcterms",
    "rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "www.w3.org/2005/atom": "atom",
    "purl.org/atom/ns": "atom",
}
"""Namespaces without the scheme and the end, which many feeds write differently. Other namespaces
are ignored: their titles are those of pictures and episodes."""
_ABOUT: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_PUBLISHED: Final = ("pubdate", "published", "issued", "dcterms:issued", "dc:date", "created")
_UPDATED: Final = ("updated", "atom:updated", "modified", "dcterms:modified")
_MAIL_AND_NAME: Final = re.compile(r"[^\s()]+@[^\s()]+\s*\(([^()]*)\)")
_NAME_AND_MAIL: Final = re.compile(r"([^<>()@]*[^<>()@\s])\s*[<(][^\s<>()]+@[^\s<>()]+[)>]")
_MAIL_CHARACTERS: Final = 300
_TAG_PREFIX: Final = re.compile(r"(</?)[A-Za-z][\w.-]*:(?=[A-Za-z])")
_WINDOWS: Final = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""As in browsers, the control characters that feeds write are meant as Windows-1252."""


def entries(root: etree._Element) -> Iterator[etree._Element]:
    """Yield the elements of the feed's entries, in order."""
    return (element for element in root.iter() if _local(element) in _ENTRIES)


def root_name(root: etree._Element) -> str:
    """Return the root element's name in lower case, without its namespace or undeclared prefix."""
    return _local(root).rpartition(":")[2]


class Fields:
    """The fields of one entry, by their names in lower case, such as `title` or `dc:creator`."""

    def __init__(self, entry: etree._Element) -> None:
        self._own, _ = _split(entry)
        self._about = (entry.get(_ABOUT) or "").strip()
        self._elements: dict[str, list[etree._Element]] = {}
        for child in entry:
            name = self._name(child)
            if name:
                self._elements.setdefault(name, []).append(child)

    def title(self) -> str:
        """Return the title, or an empty string."""
        return self._first("title", "dc:title")

    def summary(self) -> str:
        """Return the description, or an empty string."""
        return self._first("description", "summary", "dc:description")

    def contents(self) -> list[str]:
        """Return the texts that the feed calls the entry's content."""
        names = ("content:encoded", "content", "atom:content")
        return [_markup(element) for name in names for element in self._elements.get(name, ())]

    def authors(self) -> list[str]:
        """Return the authors' names. An address without a name is no name."""
        names = [_author(element) for element in self._elements.get("author", ())]
        return names + [_markup(element) for element in self._elements.get("dc:creator", ())]

    def dates(self) -> list[str]:
        """Return the times of publication, best first, and then those of updates."""
        names = (*_PUBLISHED, *_UPDATED)
        return [_markup(element) for name in names for element in self._elements.get(name, ())]

    def links(self) -> Iterator[tuple[str, str | None]]:
        """Yield the entry's addresses, best first, each with the base of relative ones or None."""
        for name in ("feedburner:origlink", "link", "atom:link"):
            for element in sorted(self._elements.get(name, ()), key=_rank):
                # Some feeds escape the address twice.
                address = (element.get("href") or _markup(element)).strip().replace("&amp;", "&")
                if address and (element.get("rel") or "alternate").lower() == "alternate":
                    yield address, element.base
        for name in ("guid", "id"):
            for element in self._elements.get(name, ()):
                address = _markup(element).strip()
                if address.startswith(("http://", "https://")) and _is_link(element):
                    yield address, None
        if self._about:
            yield self._about, None

    def _first(self, *names: str) -> str:
        texts = (_markup(element) for name in names for element in self._elements.get(name, ()))
        return next((text for text in texts if text.strip()), "")

    def _name(self, element: etree._Element) -> str:
        """Return an element's name, or an empty string if it belongs to no known namespace."""
        namespace, local = _split(element)
        if namespace in ("", self._own):
            return local
        prefix = _PREFIXES.get(namespace.lower().partition("://")[2].rstrip("/#"))
        return f"{prefix}:{local}" if prefix else ""


def _split(element: etree._Element) -> tuple[str, str]:
    """Return an element's namespace and its name in lower case; both may be empty.

    If the feed does not declare a prefix, the prefix is part of the name.
    """
    if not isinstance(element.tag, str):
        return "", ""
    namespace, brace, local = element.tag.rpartition("}")
    return (namespace[1:] if brace else ""), local.lower()


def _local(element: etree._Element) -> str:
    return _split(element)[1]


def _rank(link: etree._Element) -> bool:
    """Sort links to pages before links to other formats."""
    return (link.get("type") or "text/html") not in ("text/html", "application/xhtml+xml")


def _is_link(element: etree._Element) -> bool:
    return (element.get("isPermaLink") or "true").lower() != "false"


def _author(element: etree._Element) -> str:
    names = [child for child in element if _local(child) == "name"]
    if names or len(element):
        return _markup(names[0]) if names else ""
    text = _markup(element).strip()
    if "@" not in text:
        return text
    text = text[:_MAIL_CHARACTERS]
    mail = _MAIL_AND_NAME.fullmatch(text) or _NAME_AND_MAIL.fullmatch(text)
    return mail[1] if mail else ""


def _markup(element: etree._Element) -> str:
    """Return what an element contains: its text, or its markup if it has elements inside."""
    text: str = element.text or ""
    if len(element):
        inner: Sequence[str] = [
            etree.tostring(child, encoding="unicode", method="html") for child in element
        ]
        # HTML has no prefixes: `h:p` would not be a paragraph.
        text = html.escape(text, quote=False) + _TAG_PREFIX.sub(r"\1", "".join(inner))
    return text.translate(_WINDOWS)
