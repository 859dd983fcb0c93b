"""An article's page: its text, and the URL it gives itself. No I/O; called in a thread."""

import re
from dataclasses import dataclass
from typing import Final

import trafilatura
from lxml import html  # type: ignore[import-untyped]

from services.newswatcher.reading import text

LEAST_CHARACTERS: Final = 200
"""A shorter text is a notice, a caption or a wall, and not the article."""
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Read:
    """What a page gave."""

    text: str
    """Empty when there is no article in it."""
    told: str | None
    """Its rel=canonical, as written."""


def read(body: bytes, *, content_type: str) -> Read:
    """The article in a page; never raises for what a page contains."""
    try:
        tree = trafilatura.load_html(_decoded(body, content_type))
        if tree is None:
            return Read("", None)
        told = _canonical_link(tree)
        found = trafilatura.extract(
            tree, include_comments=False, include_tables=False, favor_precision=True
        )
    except Exception:  # noqa: BLE001  any page may come, and none may end us
        return Read("", None)
    clean = text.plain(found or "")
    return Read(clean if len(clean) >= LEAST_CHARACTERS else "", told)


def _decoded(body: bytes, content_type: str) -> bytes | str:
    """As the server says; a page whose server is silent or wrong says it itself, or is guessed."""
    told = _CHARSET.search(content_type)
    if told is None:
        return body
    try:
        return body.decode(told[1])
    except (LookupError, UnicodeDecodeError):
        return body


def _canonical_link(tree: html.HtmlElement) -> str | None:
    for element in tree.iter("link"):
        if "canonical" in (element.get("rel") or "").lower().split():
            return (element.get("href") or "").strip() or None
    return None
