"""Text as it is kept: plain, without mark-up and without characters that do things. Pure."""

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
"""Format characters that some scripts cannot be written without."""


def plain(text: str, *, most: int = TEXT_CHARACTERS) -> str:
    """Without control characters, changes of direction and half characters; spaces folded.

    Lines stay apart. A text that is too long is cut at a space.
    """
    kept = "".join(
        one
        for one in text[: 4 * most].replace("\r\n", "\n").replace("\r", "\n")
        if one in "\n\t" or one in _JOINERS or unicodedata.category(one)[0] != "C"
    )
    folded = _LINES.sub("\n", _SPACES.sub(" ", kept)).strip()
    if len(folded) <= most:
        return folded
    head, space, _ = folded[: most - 1].rpartition(" ")
    return f"{(head if space else folded[: most - 1]).rstrip()}…"


def line(text: str, *, most: int) -> str:
    """The same, in one line."""
    return plain(text.replace("\n", " ").replace("\r", " "), most=most)


def from_markup(marked_up: str, *, most: int = TEXT_CHARACTERS) -> str:
    """The text of a fragment of HTML, or of what is plain text already."""
    if not _LOOKS_MARKED_UP.search(marked_up):
        return plain(marked_up, most=most)
    # Null characters end a document for the parser, and half characters break it.
    clean = marked_up[:_MARKUP_CHARACTERS].encode("utf-8", "ignore").replace(b"\0", b"")
    try:
        tree = html.document_fromstring(
            clean, parser=html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        )
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    etree.strip_elements(tree, *_SILENT, with_tail=False)
    told: list[str] = []
    # Read and joined, never written back: a tree may have characters that it does not take.
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if element.tag in _BLOCKS:
            told.append("\n")
        told.append((element.text if event == "start" else element.tail) or "")
    return plain("".join(told), most=most)
