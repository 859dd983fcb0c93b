"""Restricts redirects after sign-in to paths on this site."""

import re
from typing import Final
from urllib.parse import urlsplit

_LONGEST: Final = 500
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
"""Browsers drop tabs and line breaks from addresses and treat a backslash as a slash."""


def local_path(path: str | None, *, otherwise: str) -> str:
    """Return `path`, or `otherwise` if `path` is not a path on this site."""
    if not path or len(path) > _LONGEST or _UNSAFE.search(path):
        return otherwise
    if not path.startswith("/") or path.startswith("//"):
        return otherwise
    try:
        parts = urlsplit(path)
    except ValueError:
        return otherwise
    if parts.scheme or parts.netloc:
        return otherwise
    return path
