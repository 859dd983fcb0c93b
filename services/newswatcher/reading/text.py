"""Converts text and markup to plain text without control characters. This module does no I/O."""

import re
import unicodedata
from typing import Final

from lxml import etree, html  # type: ignore[import-untyped]

TITLE_CHARACTERS: Final = 500
SUMMARY_CHARACTERS: Final = 2_000
TEXT_CHARACTERS: Final = 50_000
AUTHOR_CHARACTERS: Final = 200
_MARKUP_CHARACTERS: Final = 500_000
_SPACES: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r"\s*\n\s*")
_LOOKS_MARKED_UP: Final = re.compile(r"<[a-zA-Z/!]|&(?:#\d+|#x[0-9a-fA-F]+|\w+);")
_SILENT: Final = ("script", "style", "noscript", "template", "iframe", "object", "head")
_BLOCKS: Final = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figure"),
        *("figcaption", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li"),
        *("main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"),
    }
)
_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that some writing systems need."""


def plain(text: str, *, most: int = TEXT_CHARACTERS) -> str:
    """Return the text without control characters, direction marks, surrogates or repeated spaces.

    Line breaks are kept. A text with more than `most` characters is truncated at a space.
    """
    printable = "".join(
        char
        for char in text[: 4 * most].replace("\r\n", "\n").replace("\r", "\n")
        if char in "\n\t" or char in _JOINERS or unicodedata.category(char)[0] != "C"
    )
    folded = _LINES.sub("\n", _SPACES.sub(" ", printable)).strip()
    if len(folded) <= most:
        return folded
    head, space, _ = folded[: most - 1].rpartition(" ")
    return f"{(head if space else folded[: most - 1]).rstrip()}…"


def line(text: str, *, most: int) -> str:
    """Return the plain text on a single line."""
    return plain(text.replace("\n", " ").replace("\r", " "), most=most)


def from_markup(marked_up: str, *, most: int = TEXT_CHARACTERS) -> str:
    """Return the plain text of a string that may contain HTML."""
    if not _LOOKS_MARKED_UP.search(marked_up):
        return plain(marked_up, most=most)
    # The parser stops at a null character and fails on surrogates.
    clean = marked_up[:_MARKUP_CHARACTERS].encode("utf-8", "ignore").replace(b"\0", b"")
    try:
        tree = html.document_fromstring(
            clean, parser=html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    etree.strip_elements(tree, *_SILENT, with_tail=False)
    parts: list[str] = []
    # Do not assign text to the tree: lxml rejects some of the characters that it returns.
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag in _BLOCKS:
            parts.append("\n")
        parts.append((element.text if event == "start" else element.tail) or "")
    return plain("".join(parts), most=most)
