"""Parses the text of a feed into a tree of XML elements, repairing what feeds often get wrong.

This module does no I/O.

Rule: every step takes time proportional to the length of the text, whatever the text contains.
Definitions of entities are removed, so no entity can expand or read a file.
"""

import html
import re
from html.entities import html5
from typing import Final

from lxml import etree  # type: ignore[import-untyped]

_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML does not allow, not even as references."""
_AMPERSAND: Final = re.compile(
    r"&(?:#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|([A-Za-z][A-Za-z0-9]{1,31});)?"
)
_XML_ENTITIES: Final = frozenset({"amp", "apos", "gt", "lt", "quot"})
_TEXT: Final = re.compile(
    r"<!\[CDATA\[|<(content:encoded|content|description|summary|title)(?:\s[^<>]*)?(?<!/)>"
    r"(\s*<!\[CDATA\[)?",
    re.IGNORECASE,
)
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_PROLOG_CHARACTERS: Final = 2_000
"""Where the XML declaration or the feed may begin, after warnings that a server wrote."""
_ROOT: Final = re.compile(r"<(?:[a-z][\w.-]{0,30}:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)


def parse(text: str) -> tuple[etree._Element | None, bool]:
    """Return the root element, or None, and whether the text was well-formed once repaired."""
    repaired = _with_valid_references(_without_prolog(_ILLEGAL.sub("", text)))
    root, is_well_formed = _parse(repaired)
    if root is not None and not is_well_formed:
        # Two trees at once could exceed the parser's memory.
        root = None
        root, is_well_formed = _parse(_with_escaped_markup(repaired))
    return root, is_well_formed


def _parse(text: str) -> tuple[etree._Element | None, bool]:
    parser = etree.XMLParser(
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser=parser)
    except etree.XMLSyntaxError:
        return None, False
    is_broken = any(error.level == etree.ErrorLevels.FATAL for error in parser.error_log)
    return root, not is_broken


def _without_prolog(text: str) -> str:
    """Remove everything before the root element: the declaration, comments and the document type.

    The text is already decoded, so the declaration's encoding is wrong.
    """
    start = text.find("<?xml", 0, _PROLOG_CHARACTERS)
    at = text.find("<", max(start, 0))
    while at >= 0:
        if text.startswith("<?", at):
            end = text.find("?>", at)
        elif text.startswith("<!--", at):
            end = text.find("-->", at)
        elif text.startswith("<!", at):
            end = _end_of_document_type(text, at)
        else:
            feed = _ROOT.search(text, at, at + _PROLOG_CHARACTERS)
            return text[feed.start() if feed else at :]
        at = text.find("<", end) if end >= 0 else -1
    return ""


def _end_of_document_type(text: str, at: int) -> int:
    end = text.find(">", at)
    definitions = text.find("[", at, max(end, at))
    if definitions < 0:
        return end
    close = text.find("]", definitions)
    return text.find(">", close) if close >= 0 else -1


def _with_valid_references(text: str) -> str:
    """Replace HTML's named characters and escape stray ampersands, but not in CDATA sections."""
    parts: list[str] = []
    at = 0
    while True:
        start = text.find(_CDATA, at)
        end = text.find(_CDATA_END, start) if start >= 0 else -1
        if end < 0:
            parts.append(_AMPERSAND.sub(_reference, text[at:]))
            return "".join(parts)
        parts += (_AMPERSAND.sub(_reference, text[at:start]), text[start:end])
        at = end


def _with_escaped_markup(text: str) -> str:
    """Escape the HTML in titles and texts: an open `<br>` would swallow the rest of the entry."""
    parts: list[str] = []
    at = done = 0
    while match := _TEXT.search(text, at):
        at = match.end()
        is_cdata = match[1] is None or match[2] is not None
        end = text.find(_CDATA_END if is_cdata else f"</{match[1]}", at)
        if end < 0:
            break
        inner = text[at:end]
        if not is_cdata and "<" in inner and _CDATA not in inner:
            parts += (text[done:at], html.escape(inner, quote=False))
            done = end
        at = end
    return "".join((*parts, text[done:]))


def _reference(match: re.Match[str]) -> str:
    name = match[1]
    if name is None:
        return "&amp;" if match[0] == "&" else match[0]
    if name in _XML_ENTITIES:
        return match[0]
    characters = html5.get(f"{name};")
    return f"&amp;{name};" if characters is None else html.escape(characters)
