"""Decodes the bytes of feeds and pages as browsers and feed readers do.

This module does no I/O.

Rule: a declaration that the bytes themselves refute does not count. Bytes that begin like ASCII
cannot be UTF-16. An invalid byte in a declared encoding becomes U+FFFD and changes nothing else.
"""

import re
from collections.abc import Iterable
from typing import Final

from w3lib.encoding import (
    html_body_declared_encoding,
    http_content_type_encoding,
    read_bom,
    resolve_encoding,
    to_unicode,
)

_DECLARATION: Final = re.compile(
    rb"<\?xml\s[^<>]{0,200}?\bencoding\s*=\s*[\"']\s*([\w.:-]{1,40})\s*[\"']", re.IGNORECASE
)
_START_BYTES: Final = 1024
"""Where an XML declaration may begin. Some servers write blank lines or warnings before it."""
_ENCODINGS: Final = re.compile(
    r"utf-8|utf-(?:16|32)(?:-[bl]e)?|cp\d+|iso8859-\d+|koi8-[rut]|gb18030|big5(?:hkscs)?"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+|johab|mac-\w+|tis-620"
)
"""The codecs for text. Python has others, such as `punycode`, some of which take quadratic time."""
_FALLBACK: Final = "cp1252"


def from_xml(body: bytes, content_type: str) -> str:
    """Decode a feed: its byte order mark, the HTTP header and the XML declaration, in this order.

    Without any of these, the feed is UTF-8, or Windows-1252 if it is not even similar to UTF-8.
    """
    return _decoded(body, [http_content_type_encoding(content_type), _declared(body)])


def from_html(body: bytes, content_type: str) -> str:
    """Decode a page: its byte order mark, the HTTP header and its `meta` element, in this order.

    Without any of these, the page is UTF-8, or Windows-1252 if it is not even similar to UTF-8.
    """
    return _decoded(
        body, [http_content_type_encoding(content_type), html_body_declared_encoding(body)]
    )


def _declared(body: bytes) -> str | None:
    declaration = _DECLARATION.search(body[:_START_BYTES])
    return None if declaration is None else resolve_encoding(declaration[1].decode("latin-1"))


def _decoded(body: bytes, declared: Iterable[str | None]) -> str:
    encoding, mark = read_bom(body)
    if encoding is not None and mark is not None:
        return body[len(mark) :].decode(encoding, "replace")
    wide = _wide(body[:4])
    if wide is not None:
        return body.decode(wide, "replace")
    for name in declared:
        if name is None or not _ENCODINGS.fullmatch(name) or name.startswith(("utf-16", "utf-32")):
            continue
        return to_unicode(body, name)
    text = body.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    if invalid and invalid > sum(not char.isascii() for char in text) - invalid:
        return body.decode(_FALLBACK, "replace")
    return text


def _wide(start: bytes) -> str | None:
    """Return the encoding of a text that begins with an ASCII character, if it is not ASCII."""
    match [byte == 0 for byte in start]:
        case [False, True, True, True]:
            return "utf-32-le"
        case [True, True, True, False]:
            return "utf-32-be"
        case [False, True, False, _]:
            return "utf-16-le"
        case [True, False, True, _]:
            return "utf-16-be"
    return None
