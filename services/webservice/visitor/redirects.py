"""Where a visitor may be sent after signing in: a path of this site, whatever the address says."""

import re
from typing import Final
from urllib.parse import urlsplit

_LONGEST: Final = 500
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
"""Browsers drop tabs and line breaks from addresses and read a backslash as a slash."""


def local_path(wanted: str | None, *, otherwise: str) -> str:
    """`wanted` when it is a path on this site, else `otherwise`."""
    if not wanted or len(wanted) > _LONGEST or _UNSAFE.search(wanted):
        return otherwise
    if not wanted.startswith("/") or wanted.startswith("//"):
        return otherwise
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return otherwise
    if parts.scheme or parts.netloc:
        return otherwise
    return wanted
