"""Parses an article's page: its text and its own canonical URL. No I/O; called in a thread."""

import re
from dataclasses import dataclass
from typing import Final

import trafilatura
from lxml import html  # type: ignore[import-untyped]

from services.newswatcher.reading import text

LEAST_CHARACTERS: Final = 200
"""A shorter text is a notice, a caption or a paywall, not the article."""
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The article in a page."""

    text: str
    """Empty when the page contains no article."""
    canonical_link: str | None
    """Its rel=canonical link, as written."""


def parse(body: bytes, *, content_type: str) -> ParsedPage:
    """The article in a page; no page makes it raise."""
    try:
        tree = trafilatura.load_html(_decoded(body, content_type))
        if tree is None:
            return ParsedPage("", None)
        canonical_link = _canonical_link(tree)
        article = trafilatura.extract(
            tree, include_comments=False, include_tables=False, favor_precision=True
        )
    except Exception:  # noqa: BLE001  a page may contain anything
        return ParsedPage("", None)
    clean = text.plain(article or "")
    return ParsedPage(clean if len(clean) >= LEAST_CHARACTERS else "", canonical_link)


def _decoded(body: bytes, content_type: str) -> bytes | str:
    """Decoded with the server's charset; undecoded, for the parser to guess, if there is none."""
    charset = _CHARSET.search(content_type)
    if charset is None:
        return body
    try:
        return body.decode(charset[1])
    except (LookupError, UnicodeDecodeError):
        return body


def _canonical_link(tree: html.HtmlElement) -> str | None:
    for element in tree.iter("link"):
        if "canonical" in (element.get("rel") or "").lower().split():
            return (element.get("href") or "").strip() or None
    return None
