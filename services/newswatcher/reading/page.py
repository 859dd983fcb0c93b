"""Finds the article and the canonical link on a page.

This module does no I/O. It runs in the parser's process, because pages may contain anything.
"""

from dataclasses import dataclass
from typing import Final

import trafilatura
from lxml import html  # type: ignore[import-untyped]

from services.newswatcher.reading import decoding, text

LEAST_CHARACTERS: Final = 200
"""The minimum length of an article. A shorter text is a notice, a caption or a paywall."""


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
        tree = trafilatura.load_html(decoding.from_html(body, content_type))
        if tree is None:
            return ParsedPage("", None)
        canonical_link = _canonical_link(tree)
        article = trafilatura.extract(
            tree, include_comments=False, include_tables=False, favor_precision=True
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a page may contain anything
        return ParsedPage("", None)
    clean = text.plain(article or "")
    return ParsedPage(clean if len(clean) >= LEAST_CHARACTERS else "", canonical_link)


def _canonical_link(tree: html.HtmlElement) -> str | None:
    for element in tree.iter("link"):
        if "canonical" in (element.get("rel") or "").lower().split():
            return (element.get("href") or "").strip() or None
    return None
