"""Finds the article and the canonical link on a page.

This module does no I/O. Call `parse` in a thread, because it may take a while.
"""

import re
from dataclasses import dataclass
from typing import Final

import trafilatura
from lxml import html  # type: ignore[import-untyped]

from services.newswatcher.reading import text

LEAST_CHARACTERS: Final = 200
"""The minimum length of an article. A shorter text is a notice, a caption or a paywall."""
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The article and the canonical link found on a page."""

    text: str
    """Empty if the page contains no article."""
    canonical_link: str | None
    """The page's rel=canonical link, exactly as written, or None."""


def parse(body: bytes, *, content_type: str) -> ParsedPage:
    """Return a page's article and canonical link. If parsing fails, the result is empty."""
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
    """Decode the body using the charset in the header. If this fails, return the body as is."""
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
